"""The scans that fill new generations: begun once every live shard has drawn, complete with their segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dynalens.backfill import Scan, scan_of
from dynalens.partition import START, Partition
from dynalens.pipeline.generations import Generations
from dynalens.pipeline.reading import Reading
from dynalens.position import Copy, PartitionState


@dataclass(slots=True, eq=False)
class Scans:
    """The scans of one target's generations, as far as this worker reads them.

    Attributes:
        segments: The segments of each scan that fills a generation and has begun.
    """

    reading: Reading
    generations: Generations
    segments: dict[str, Sequence[Partition]] = field(default_factory=dict)
    _scans: dict[str, str] = field(default_factory=dict)

    def scan_of(self, partition: str) -> str | None:
        """Give the scan that a partition is a segment of; None for a shard."""
        return self._scans.get(partition)

    def are_read(self) -> bool:
        """Say whether every scan that fills a generation is being read, as far as this worker reads it."""
        scans = {copy.scan for copy in self.generations.building()}
        return scans <= self.segments.keys() and not any(
            self.reading.is_fresh(segment) for scan in scans for segment in self.segments[scan]
        )

    def open(self) -> None:
        """Read the segments of scans that may begin: every live shard has drawn an epoch under the new list."""
        building = self.generations.building()
        # A shard whose next record is gone shows that at its first reading: a scan that begins after it sees what the
        # lost changes left behind, so that shards found one after the other need no scan each.
        if not building or not all(cursor.polls for cursor in self.reading.open_shards().values()):
            return
        stored = self.reading.stored()
        lowest = self.reading.lowest_epoch(stored)
        for copy in building:
            if copy.barrier and lowest > copy.barrier:
                self._open(scan_of(copy), stored)

    def _open(self, scan: Scan, stored: Mapping[str, PartitionState]) -> None:
        if scan.id not in self.segments:
            self.segments[scan.id] = self.reading.partitions.segments(scan)
            self._scans.update((segment.id, scan.id) for segment in self.segments[scan.id])
        self.reading.draw([segment for segment in self.segments[scan.id] if self.reading.is_fresh(segment)], stored)

    def rows(self) -> int:
        """Count the rows applied so far by the scans of generations being built."""
        segments = [segment for copy in self.generations.building() for segment in self.segments.get(copy.scan, ())]
        committed = self.reading.committed
        return sum(max(0, committed.get(segment.id, START).rank) for segment in dict.fromkeys(segments))

    def complete(self) -> list[Copy]:
        """Give the generations being built whose scan is applied to its end, by whichever worker."""
        building = [copy for copy in self.generations.building() if self._is_scanned_here(copy)]
        if not building:
            return []
        drained = {id_ for id_, state in self.reading.stored().items() if state.position.ended}
        return [copy for copy in building if drained.issuperset(self.segments_of(copy))]

    def segments_of(self, copy: Copy) -> list[str]:
        """Give the ids of the segments whose rows fill a generation, once its scan has begun."""
        return [segment.id for segment in self.segments.get(copy.scan, ())]

    def _is_scanned_here(self, copy: Copy) -> bool:
        return copy.scan in self.segments and all(
            self.reading.is_drained(segment) or not self.reading.leases.holds(segment)
            for segment in self.segments_of(copy)
        )
