"""Collections of one table, against a plain model: a document ends exactly where its last image belongs.

Whatever the item types, however items move between them, with old images or without, in whatever order the writes land
and whatever a scan saw on the way: versions and `route` together leave each item in the collections that take it as it
is now, and nowhere else.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from dynalens.change import Change, Document, Kind, render
from dynalens.config import CollectionConfig, Config
from dynalens.target import Generation, Write, version
from dynalens.testing.memory import MemoryTarget
from dynalens.transform import Route, route

State = Mapping[str, Any] | None
"""An item's attributes beside its key, in DynamoDB JSON; None where there is no item."""

TABLE = "Shop"
IDS = ("a", "b", "c")
TEXTS = ("user", "User", "USER", "user ", "order", "ORDER", "strasse", "STRAßE", "default", "")
TYPES = [
    *({"S": text} for text in TEXTS),
    {"B": "user"},
    {"N": "1"},
    {"NULL": True},
    {"SS": ["user"]},
    {"L": [{"S": "user"}]},
]
TRUTH = {True: {"BOOL": True}, False: {"BOOL": False}}

STATES = st.none() | st.fixed_dictionaries(
    {}, optional={"TYPE": st.sampled_from(TYPES), "paid": st.sampled_from([TRUTH[True], TRUTH[False]])}
)
COLLECTIONS = st.lists(
    st.builds(
        CollectionConfig,
        table=st.just(TABLE),
        item_type=st.sampled_from([None, "user", "order", "straße", "default"]),
        where=st.sampled_from([{}, {"paid": True}]),
    ),
    min_size=1,
    max_size=5,
)


@dataclass(frozen=True)
class Step:
    """One write to the table, and whether the stream carries what was before it."""

    id: str
    state: State
    old_known: bool


STEPS = st.lists(st.builds(Step, st.sampled_from(IDS), STATES, st.booleans()), max_size=12)


@given(
    collections=COLLECTIONS,
    before=st.fixed_dictionaries(dict.fromkeys(IDS, STATES)),
    steps=STEPS,
    chance=st.randoms(use_true_random=False),
)
def test_a_document_is_exactly_where_its_last_image_belongs(
    collections: list[CollectionConfig], before: Mapping[str, State], steps: list[Step], chance: random.Random
) -> None:
    config = Config(collections={f"c{number}": collection for number, collection in enumerate(collections)})
    routes = [Route.of(name, collection) for name, collection in config.collections.items()]
    changes, states = history(before, steps)
    # A scan beside the stream sees each item in one of its states.
    rows = [scanned(id_, state) for id_, seen in states.items() if (state := chance.choice(seen)) is not None]
    writes = [write for row in rows for write in writes_of(row, 0, routes)]
    writes += [write for number, each in enumerate(changes) for write in writes_of(each, version(1, number), routes)]
    chance.shuffle(writes)
    target = filled(writes, config.collections)
    for name, collection in config.collections.items():
        expected = {id_ for id_, seen in states.items() if belongs(seen[-1], collection, collections)}
        assert target.documents(name).keys() == expected, name


def belongs(state: State, collection: CollectionConfig, siblings: Iterable[CollectionConfig]) -> bool:
    """Say in the words of docs/configuration.md whether an item belongs to a collection."""
    if state is None or any(state.get(name) != TRUTH[bool(value)] for name, value in collection.where.items()):
        return False
    named = {sibling.item_type for sibling in siblings} - {None, "default"}
    text = state.get("TYPE", {}).get("S")
    own = text.lower() if text is not None and text.lower() in named else "default"
    return collection.item_type in {None, own}


def history(before: Mapping[str, State], steps: Sequence[Step]) -> tuple[list[Change], dict[str, list[State]]]:
    """Give the changes that the stream carries, and all states that each item has been in, the last one last."""
    changes: list[Change] = []
    states = {id_: [state] for id_, state in before.items()}
    for step in steps:
        was = states[step.id][-1]
        if was is not None or step.state is not None:
            changes.append(change(step, was))
            states[step.id].append(step.state)
    return changes, states


def change(step: Step, was: State) -> Change:
    kind: Kind = "remove" if step.state is None else "insert" if was is None else "modify"
    old = Document.unrendered(item(step.id, was)) if was is not None and step.old_known else None
    new = None if step.state is None else render(item(step.id, step.state))
    return recorded(step.id, kind, new, old, old_known=step.old_known)


def scanned(id_: str, state: Mapping[str, Any]) -> Change:
    return recorded(id_, "scan", render(item(id_, state)), None, old_known=False)


def item(id_: str, state: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"id": {"S": id_}, **state}


def recorded(id_: str, kind: Kind, new: Document | None, old: Document | None, *, old_known: bool) -> Change:
    return Change(
        table=TABLE,
        id=id_,
        key={"id": {"S": id_}},
        kind=kind,
        new=new,
        old=old,
        old_known=old_known,
        sequence_number="1",
        created_at=0.0,
        user_identity="",
        size=1,
    )


def writes_of(change: Change, at: int, routes: Sequence[Route]) -> list[Write]:
    return [
        Write(Generation(collection, 1), change.id, at, document, change)
        for collection, document in route(change, routes)
    ]


def filled(writes: Sequence[Write], collections: Mapping[str, CollectionConfig]) -> MemoryTarget:
    target = MemoryTarget()
    for name, collection in collections.items():
        target.create(Generation(name, 1), collection)
        target.serve(Generation(name, 1))
    assert not target.apply(writes)
    return target
