"""Inference: from sampled items to collections, metrics and search fields, and to a commented file that says why.

Pure: nobody is asked and nothing is written. What is found are guesses from evidence; each is written into the file
beside its evidence, so that a person can judge and change it.
"""

from dynalens.inference.attributes import count_of
from dynalens.inference.description import Buckets, Collection, GeoPair, Metric, Seen, Sum, TableDescription
from dynalens.inference.file import DescribedTable, render_file
from dynalens.inference.names import Names
from dynalens.inference.policy import iam_policy
from dynalens.inference.tables import Sample, describe_table

__all__ = [
    "Buckets",
    "Collection",
    "DescribedTable",
    "GeoPair",
    "Metric",
    "Names",
    "Sample",
    "Seen",
    "Sum",
    "TableDescription",
    "count_of",
    "describe_table",
    "iam_policy",
    "render_file",
]
