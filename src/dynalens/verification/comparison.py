"""The comparison: a scan against what is kept, a walk against what was scanned, and suspicions judged again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from dynalens.change import Change, Document, KeySchema, typed_key
from dynalens.source.scan import ReadBudget
from dynalens.target import Comparable, Generation
from dynalens.transform import Route
from dynalens.verification.outcome import Difference, Key, Kind, Outcome
from dynalens.verification.sample import EVERYTHING, Balance, Sample

ROUNDS = 3
"""How often in a row a difference must be seen, its item unchanged, to count: a change may reach the stream late."""
MOST_ROUNDS = 9
"""Rounds after which an item that goes on changing is left alone: what it will hold is written anew anyway."""
JUDGED_AT_ONCE = 500
"""Suspicions that are judged together: each round waits once for all of them."""
MOST_DIFFERENCES = 10_000
"""Differences after which a verification ends: so many are mended by a rebuild."""
WALKED_AT_ONCE = 10_000


class TableReader(Protocol):
    """The table's side of a comparison."""

    @property
    def read_units(self) -> float:
        """Read units consumed so far."""
        ...

    def pages(self) -> Iterator[Sequence[Change]]:
        """Scan the table; consistently or not, since a difference is judged by `items`."""
        ...

    def items(self, keys: Mapping[str, Key], /) -> Mapping[str, Document]:
        """Read items strongly consistently, by their document ids; those that are not there are left out.

        Once `Comparison.stop` is set others may be left out too: nothing is concluded from a reading after that.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is compared with what, and how.

    Attributes:
        target: The target.
        generation: The generation of the collection in it.
        route: Which items of the table belong to the collection.
        keys: The table's key schema.
        table: The table.
        applied: Returns when the target holds every change that stood in the stream before the call.
        settling_seconds: How long a change may take from its write to the stream, which gives no bound.
        pace: Items per second, of the scan, the walk and the table's single reads together.
        stop: When set, it ends as soon as what is under way has answered.
        sample: Which documents are compared.
        examples: How many ids of each kind are given.
        progress: Told what was found so far, after every step.
        differing: Given the differences as they are found, to mend them.
    """

    target: Comparable
    generation: Generation
    route: Route
    keys: KeySchema
    table: TableReader
    applied: Callable[[], None]
    pace: ReadBudget
    settling_seconds: float = 1.0
    stop: threading.Event = field(default_factory=threading.Event)
    sample: Sample = EVERYTHING
    examples: int = 10
    progress: Callable[[Outcome], None] = lambda _outcome: None
    differing: Callable[[Sequence[Difference]], None] = lambda _differences: None


def verify(comparison: Comparison) -> Outcome:
    """Compare; runs in the calling thread for as long as the table is large, or its pace slow.

    Raises:
        TargetError: The target cannot be read, or the generation was dropped meanwhile.
        SourceError: The table cannot be read.
    """
    return _Verification(comparison).run()


@dataclass(frozen=True, slots=True)
class _Suspicion:
    """A difference that may be a change under way: how often in a row it was seen, and what was seen."""

    key: Key
    rounds: int = 0
    held: bytes | None = None
    expected: bytes | None = None

    def seen(self, before: bytes | None, held: bytes | None, after: bytes | None) -> _Suspicion:
        """Give the suspicion after one more round, in which the item was read before and after the target."""
        if before != after:
            return _Suspicion(self.key)
        same = (self.held, self.expected) == (held, after)
        return _Suspicion(self.key, self.rounds + 1 if same else 1, held, after)

    @property
    def kind(self) -> Kind:
        """Say what kind of difference it is."""
        if self.held is None:
            return "lost"
        return "extra" if self.expected is None else "stale"


class _Stopped(Exception):  # noqa: N818 - no error
    """The run was told to stop."""


class _Verification:
    """One run: what it compares, and what it has found so far."""

    def __init__(self, comparison: Comparison) -> None:
        self._of = comparison
        self._outcome = Outcome()
        self._ids = Balance()

    def run(self) -> Outcome:
        try:
            self._run()
        except _Stopped:
            self._add()
        return self._outcome

    def _run(self) -> None:
        suspected: dict[str, Key] = {}
        for found in self._suspicions():
            suspected |= found
            if len(suspected) >= JUDGED_AT_ONCE:
                self._judge(suspected)
                suspected = {}
            if self._outcome.differences >= MOST_DIFFERENCES:
                return
        self._judge(suspected)
        self._add(complete=True)

    def _suspicions(self) -> Iterator[dict[str, Key]]:
        """Give the keys of what differs at first sight, by id, a page at a time."""
        for page in self._of.table.pages():
            self._pace(len(page))
            yield self._scanned(page)
        for ids in self._walk():
            for id_ in ids:
                self._ids.take_away(id_)
            self._add(walked=len(ids))
        if not self._ids.is_even():
            for ids in self._walk():
                yield from self._looked_up([id_ for id_ in ids if self._ids.may_differ(id_)])

    def _scanned(self, page: Sequence[Change]) -> dict[str, Key]:
        """Compare a page of the scan."""
        scanned = {change.id: change for change in page if self._of.sample.holds(change.id)}
        held = self._kept(scanned)
        for id_ in held:
            self._ids.add(id_)
        self._add(scanned=len(scanned), bytes_read=sum(change.size for change in page))
        return {id_: change.key for id_, change in scanned.items() if held.get(id_) != self._expected(change.new)}

    def _walk(self) -> Iterator[list[str]]:
        of, cursor, ended = self._of, "", False
        while not ended:
            ids, cursor = of.target.walk(of.generation, cursor, WALKED_AT_ONCE)
            ended = not cursor
            self._pace(len(ids))
            yield [id_ for id_ in ids if of.sample.holds(id_)]

    def _looked_up(self, ids: Sequence[str]) -> Iterator[dict[str, Key]]:
        """Compare documents of the walk with their items, read by key."""
        for first in range(0, len(ids), JUDGED_AT_ONCE):
            keys = {id_: typed_key(id_, self._of.keys) for id_ in ids[first : first + JUDGED_AT_ONCE]}
            known = {id_: key for id_, key in keys.items() if key is not None}
            expected, held = self._read(known), self._kept(known)
            self._add(looked_up=len(known), unchecked=len(keys) - len(known))
            yield {id_: key for id_, key in known.items() if held.get(id_) != expected[id_]}

    def _judge(self, suspected: Mapping[str, Key]) -> None:
        """Look again at what differs, as often as it takes to know."""
        doubtful = {id_: _Suspicion(key) for id_, key in suspected.items()}
        for _ in range(MOST_ROUNDS):
            if not doubtful:
                return
            seen = self._look_again(doubtful)
            self._settle([Difference(one.kind, id_, one.key) for id_, one in seen.items() if one.rounds == ROUNDS])
            doubtful = {id_: one for id_, one in seen.items() if one.rounds < ROUNDS}
        self._add(in_flight=len(doubtful))

    def _look_again(self, doubtful: Mapping[str, _Suspicion]) -> dict[str, _Suspicion]:
        """Give what still differs."""
        keys = {id_: suspicion.key for id_, suspicion in doubtful.items()}
        before = self._read(keys)
        if self._of.stop.wait(self._of.settling_seconds):
            raise _Stopped
        self._of.applied()
        held = self._kept(keys)
        after = self._read(keys)
        return {
            id_: suspicion.seen(before[id_], held.get(id_), after[id_])
            for id_, suspicion in doubtful.items()
            if held.get(id_) != after[id_]
        }

    def _settle(self, differences: Sequence[Difference]) -> None:
        for difference in differences:
            self._outcome = self._outcome.with_difference(difference, self._of.examples)
        if differences:
            self._of.differing(differences)
        self._add()

    # Both sides, in digests.

    def _expected(self, item: Document | None) -> bytes | None:
        """Give the digest of what the target must keep of an item; None where it must keep nothing."""
        of = self._of
        return of.target.digest(of.generation, item) if item is not None and of.route.takes(item) else None

    def _read(self, keys: Mapping[str, Key]) -> dict[str, bytes | None]:
        """Read items by key, and give the digests of what the target must keep."""
        self._pace(len(keys))
        items = self._of.table.items(keys) if keys else {}
        self._add(bytes_read=sum(len(item.json) for item in items.values()))
        return {id_: self._expected(items.get(id_)) for id_ in keys}

    def _kept(self, ids: Iterable[str]) -> dict[str, bytes]:
        return self._of.target.kept(self._of.generation, list(ids))

    # The run itself.

    def _pace(self, items: int) -> None:
        if self._of.stop.is_set() or not self._of.pace.reserve(items, self._of.stop):
            raise _Stopped

    def _add(self, *, complete: bool = False, **counted: int) -> None:
        """Count, and tell."""
        counts = {name: getattr(self._outcome, name) + number for name, number in counted.items()}
        self._outcome = replace(self._outcome, read_units=self._of.table.read_units, complete=complete, **counts)
        self._of.progress(self._outcome)
