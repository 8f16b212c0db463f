"""What a worker that starts with a file would do: which generations it begins, why, and what it keeps no longer.

`backfill` decides, here as in a worker. Targets are not asked, since one that is embedded belongs to its process: what
the store has recorded of them is taken to be there, unless they are elsewhere now. Nothing is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from dynalens.backfill import TARGET_LOST, Loss, Scan, Situation, Wanted, is_above, losses, plan, segment_ids
from dynalens.config import Config, Difference, differences, load_settings
from dynalens.partition import Position
from dynalens.position import Copy, PartitionState, PositionStore
from dynalens.report import FRESH_SECONDS, Report, ReportReader
from dynalens.request import RequestStore
from dynalens.target import Generation, Mark, Memory

Action = Literal["build", "rebuild", "end", "keep"]
Place = tuple[str, str]
"""Names of a table and a target."""


class Store(PositionStore, RequestStore, ReportReader, Protocol):
    """What is read of a store: generations, positions, gaps, requests and reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What would come of one collection in one target.

    Attributes:
        collection: The collection's name.
        target: The target's name.
        table: The table that it is a copy of.
        action: `build` makes a first copy; `rebuild` makes a new generation, while the one before it is served; `end`
            feeds it no longer, for the file does not name it there; `keep` goes on as before.
        served: Number of the generation that is served; 0: there is none.
        begun: Number of the generation that would be begun; 0: none would.
        consistent: The scan that fills it reads strongly consistently, for twice the read units.
        differences: The settings that are others than those it was built with.
        reasons: In words, what else it is begun for; of one that goes on, what is under way or lacking.
    """

    collection: str
    target: str
    table: str
    action: Action
    served: int = 0
    begun: int = 0
    consistent: bool = False
    differences: Sequence[Difference] = ()
    reasons: Sequence[str] = ()


def steps(config: Config, store: Store, streams: Mapping[str, str], *, now: float) -> list[Step]:
    """Give what would come of each collection in each target: those of the file in its order, then those that end.

    Args:
        config: The file.
        store: Where its workers keep positions.
        streams: The stream of each table, empty where it is off. A table that could not be asked is missing here, and
            its stream is taken to be the one that was captured.
        now: Epoch seconds.

    Raises:
        StoreError: The store cannot be read.
    """
    reports = store.reports()
    tables = dict.fromkeys(collection.table for collection in config.collections.values())
    situations = [
        situation
        for table in tables
        for situation in _situations(config, store, table, streams.get(table), reports=reports, now=now)
    ]
    found = [step for situation in situations for step in planned(situation)]
    named = [(situation.table, situation.target) for situation in situations]
    found += [step for place in _left_out(reports, named) for step in _ended(place, store.copies(*place))]
    order = {name: number for number, name in enumerate(config.collections)}
    return sorted(found, key=lambda step: (step.action == "end", order.get(step.collection, len(order))))


def planned(situation: Situation) -> list[Step]:
    """Give what would come of the collections of one table in one target."""
    loss = losses(situation)
    chosen = plan(situation, loss, lambda consistent: Scan("", 1, consistent))
    begun = {copy.collection: copy for copy in chosen.new}
    named = [_step(wanted, begun.get(wanted.collection), situation, loss) for wanted in situation.wanted]
    return [*named, *_ended((situation.table, situation.target), chosen.retired)]


def _step(wanted: Wanted, begun: Copy | None, situation: Situation, loss: Loss) -> Step:
    copies = [copy for copy in situation.copies if copy.collection == wanted.collection and copy.state != "dropped"]
    newest = max(copies, key=lambda copy: copy.number, default=None)
    moved = newest is not None and _is_elsewhere(newest, wanted.place)
    gaps = [gap for gap in (*situation.recorded, *loss.gaps) if newest and not is_above(newest, [gap])]
    lost = [gap.reason for gap in gaps if not (moved and gap.reason == TARGET_LOST)]
    step = Step(
        collection=wanted.collection,
        target=situation.target,
        table=situation.table,
        action="keep",
        served=0 if moved else _served(copies),
        reasons=[f"changes were lost: {reason}" for reason in dict.fromkeys(lost)],
    )
    if begun is None:
        under_way = [_UNDER_WAY[bool(step.served)]] if newest and newest.state == "building" else []
        return replace(step, reasons=[*under_way, *step.reasons, *([_BY_HAND] if lost else [])])
    different, others = _changed(newest, wanted, situation.target) if newest else ([], [])
    asked = [_ASKED] if wanted.collection in situation.rebuild else []
    return replace(
        step,
        action="rebuild" if step.served else "build",
        begun=begun.number,
        consistent=begun.consistent,
        differences=different,
        reasons=[*others, *asked, *step.reasons],
    )


_UNDER_WAY = {False: "its first copy is under way", True: "it is being built anew"}
_BY_HAND = "source.repair is manual, so it waits for dynalens rebuild"
_ASKED = "dynalens rebuild asked for it"
_OTHER_RELEASE = "it was built by a release whose settings this one cannot read"
_OTHER_FORM = "this release keeps it in another form"


def _changed(newest: Copy, wanted: Wanted, target: str) -> tuple[list[Difference], list[str]]:
    """Give the settings that differ from those of a generation, and what else about them asks for another one."""
    moved = []
    if _is_elsewhere(newest, wanted.place):
        moved = [Difference(f"targets.{target}", json.dumps(newest.place), json.dumps(wanted.place))]
    if newest.fingerprint == wanted.fingerprint:
        return moved, []
    try:
        built_with = load_settings(newest.settings)
    except ValueError:
        return moved, [_OTHER_RELEASE]
    different = differences(built_with, load_settings(wanted.settings), target)
    return [*moved, *different], [] if different else [_OTHER_FORM]


def _is_elsewhere(copy: Copy, place: str) -> bool:
    """Say whether a generation is kept in another place than its target is now."""
    return copy.state != "dropped" and copy.place not in {"", place}


def _ended(place: Place, copies: Iterable[Copy]) -> list[Step]:
    """Give the steps of collections that the file does not name in a target."""
    table, target = place
    numbers: dict[str, list[Copy]] = {}
    for copy in copies:
        if copy.state != "dropped":
            numbers.setdefault(copy.collection, []).append(copy)
    return [
        Step(collection=name, target=target, table=table, action="end", served=_served(kept))
        for name, kept in numbers.items()
    ]


def _served(copies: Iterable[Copy]) -> int:
    return max((copy.number for copy in copies if copy.state == "live"), default=0)


# What the store holds.


def _situations(  # noqa: PLR0913 - what they are put together from
    config: Config, store: Store, table: str, stream: str | None, *, reports: Sequence[Report], now: float
) -> Iterator[Situation]:
    """Give what the store holds of a table, for each target of the file."""
    states, gaps, epoch = store.partitions(table), store.gaps(table), store.counter(table)
    asked = [each for each in store.requests(table) if (each.kind, each.state) == ("rebuild", "waiting")]
    named = {name: collection for name, collection in config.collections.items() if collection.table == table}
    for target, place in config.targets.places().items():
        copies = store.copies(table, target)
        stored = [state for state in states if state.target == target]
        moved = any(_is_elsewhere(copy, place) for copy in copies)
        polled = [report.polled_at for report in reports if (report.table, report.target) == (table, target)]
        yield Situation(
            table=table,
            stream=_captured(copies) if stream is None else stream,
            target=target,
            wanted=[Wanted.of(name, collection, target, place) for name, collection in named.items()],
            copies=copies,
            recorded=[gap for gap in gaps if gap.target == target],
            memory=Memory() if moved else _as_recorded(copies, stored, epoch),
            stored={state.partition.id: state for state in stored},
            shards=[state.partition for state in stored if state.partition.kind == "shard"],
            lost=[],
            read_at=max(polled, default=0.0),
            alone=config.store is None,
            repairs=config.source.repair == "automatic",
            rebuild=frozenset(request.collection for request in asked if request.target == target),
            now=now,
        )


def _captured(copies: Iterable[Copy]) -> str:
    """Give the stream that generations are fed from."""
    return next((copy.stream for copy in copies if copy.state != "dropped"), "")


def _as_recorded(copies: Sequence[Copy], states: Iterable[PartitionState], epoch: int) -> Memory:
    """Give what a target remembers that has lost nothing of what the store has recorded."""
    marks = {state.partition.id: Mark(state.epoch, state.position) for state in states}
    complete = [copy for copy in copies if copy.state in {"live", "kept"}]
    marks |= dict.fromkeys(segment_ids(complete), Mark(epoch, Position(ended=True)))
    held = {Generation(copy.collection, copy.number) for copy in copies if copy.state != "dropped"}
    return Memory(epoch, marks, frozenset(held))


def _left_out(reports: Sequence[Report], places: Iterable[Place]) -> list[Place]:
    """Give the tables and targets that were kept by whoever worked last, and are not named any more.

    What workers before that left behind is no news.
    """
    last = max((report.written_at for report in reports), default=0.0)
    kept = {(report.table, report.target) for report in reports if last - report.written_at < FRESH_SECONDS}
    return sorted(kept.difference(places))
