"""Fakes in memory, for testing a pipeline of your own without any server: a target, a source and a clock.

They keep the same contracts as the real ones (the target passes the same contract suite), and do on command what real
ones do at the worst moment: fail, hang, refuse a document, lose what they confirmed, trim records.

    source = MemorySource("Donations", KeySchema(("id",)), page_size=25)
    source.add_shard("shard-1")
    source.put("shard-1", {"id": {"S": "a"}, "amount": {"N": "10"}})
    target = MemoryTarget("sql")
    target.fail_next(2, on="apply")
    ...                                   # run the pipeline under test
    assert target.documents("donations") == source.documents()
"""

from __future__ import annotations

from dynalens.testing.memory.clock import ManualClock
from dynalens.testing.memory.source import FIRST_SEQUENCE_NUMBER, KEYS, MemoryScan, MemorySource
from dynalens.testing.memory.target import Contents, MemoryRow, MemoryTarget

__all__ = [
    "FIRST_SEQUENCE_NUMBER",
    "KEYS",
    "Contents",
    "ManualClock",
    "MemoryRow",
    "MemoryScan",
    "MemorySource",
    "MemoryTarget",
]
