"""Verification: whether a target holds what its table holds, found out while both change.

First the table is scanned, and each item compared with what the target keeps of it: that finds what was lost and what
is stale. Then the target is walked: an id that the scan did not see is looked up in the table, which finds what is
there beyond it. A difference is only a suspicion, since its change may be under way: it is judged again, behind a
barrier, until it is gone or has stayed the same three times. What a target refused, a dead letter, differs until it is
redriven.
"""

from dynalens.verification.comparison import Comparison, TableReader, verify
from dynalens.verification.outcome import Difference, Finding, Kind, Outcome
from dynalens.verification.sample import Sample
from dynalens.verification.table import ScannedTable

__all__ = ["Comparison", "Difference", "Finding", "Kind", "Outcome", "Sample", "ScannedTable", "TableReader", "verify"]
