"""The pipeline of one table: a feed reads each partition once, a lane applies it to each target.

`TablePipeline` is the only name that the runtimes use.
"""

from dynalens.pipeline.attachment import Table
from dynalens.pipeline.table import TablePipeline

__all__ = ["Table", "TablePipeline"]
