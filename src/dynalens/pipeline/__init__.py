"""The pipeline of one table: a feed reads each partition once, a lane applies it to each target.

What the runtimes use of it is named here.
"""

from dynalens.pipeline.background import Background
from dynalens.pipeline.leases import Leases, SoleLeases
from dynalens.pipeline.reading import Table
from dynalens.pipeline.table import TablePipeline

__all__ = ["Background", "Leases", "SoleLeases", "Table", "TablePipeline"]
