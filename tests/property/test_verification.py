"""While table and target change, a verification finds every difference that stays, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

from hypothesis import given
from hypothesis import strategies as st

from dynalens.verification import Outcome, Sample, verify
from tests.verified import World, id_of, item

BUSY = [f"busy-{n}" for n in range(8)]
LATEST = 2
"""Barriers that a change may be late for: a third one finds it in the stream."""
STATES = ["same", "absent", "elsewhere", "lost", "gone", "moved", "stale", "came back"]
KINDS = {"lost": "lost", "came back": "extra", "moved": "extra", "stale": "stale"}
"""What each state is found to be, where it is a difference: `gone` is a tombstone of an item that was deleted."""


def key_of(number: int) -> str:
    """Name an item that nobody writes; the id of every fifth one is a hash."""
    return "long" * 200 + str(number) if number % 5 == 0 else f"quiet-{number}"


def plant(world: World, key: str, state: str) -> None:
    match state:
        case "same":
            world.put(key)
        case "elsewhere":
            world.table[key] = item(key, 1, kind="refund")
        case "lost":
            world.table[key] = item(key, 1)
        case "gone":
            world.hold(key, None)
        case "moved":
            world.table[key] = item(key, 1, kind="refund")
            world.hold(key, item(key, 1))
        case "stale":
            world.table[key] = item(key, 2)
            world.hold(key, item(key, 1))
        case "came back":
            world.hold(key, item(key, 1))


def happening(world: World, chance: random.Random, lateness: int) -> Iterator[Callable[[], None]]:
    """Write to busy items, and let the target catch up a little, for as long as anybody asks."""

    def step() -> None:
        for _ in range(chance.randint(0, 3)):
            key = chance.choice(BUSY)
            kind = chance.choice(["donation", "donation", "refund"])
            new = item(key, chance.randint(0, 3), kind) if chance.random() < 0.7 else None
            world.write(key, new, passes=chance.randint(0, lateness))
        if not lateness:
            world.apply_some(chance.randint(0, 3))

    while True:
        yield step


def found(outcome: Outcome) -> dict[str, str]:
    kinds = {"lost": outcome.lost, "extra": outcome.extra, "stale": outcome.stale}
    return {id_: kind for kind, finding in kinds.items() for id_ in finding.examples}


def differing(states: Mapping[str, str]) -> dict[str, str]:
    """Give the differences that can be found: a hashed id that the table does not have tells no key."""
    planted = {id_of(key): KINDS[state] for key, state in states.items() if state in KINDS}
    return {id_: kind for id_, kind in planted.items() if not (id_.startswith("~~") and _is_beyond(states, id_))}


def _is_beyond(states: Mapping[str, str], id_: str) -> bool:
    return any(state == "came back" for key, state in states.items() if id_of(key) == id_)


PLANTED = st.lists(st.sampled_from(STATES), max_size=40).map(
    lambda states: {key_of(number): state for number, state in enumerate(states)}
)


@given(PLANTED, st.integers(0, 1 << 32), st.integers(0, LATEST))
def test_every_difference_that_stays_is_found_and_no_other(states: dict[str, str], seed: int, lateness: int) -> None:
    world = World()
    for key, state in states.items():
        plant(world, key, state)
    for key in BUSY[:4]:
        world.put(key)
    world.steps = happening(world, random.Random(seed), lateness)  # noqa: S311 - no secret
    outcome = verify(world.comparison())
    assert found(outcome) == differing(states)
    assert outcome.differences == len(differing(states))
    assert outcome.complete
    assert outcome.unchecked >= sum(state == "came back" and len(key) > 512 for key, state in states.items())


@given(PLANTED, st.integers(0, 1 << 32), st.floats(0, 1), st.sampled_from(["", "1", "2"]))
def test_a_sample_finds_what_it_holds(states: dict[str, str], seed: int, share: float, salt: str) -> None:
    world, sample = World(), Sample(share, salt)
    for key, state in states.items():
        plant(world, key, state)
    world.steps = happening(world, random.Random(seed), 0)  # noqa: S311 - no secret
    outcome = verify(world.comparison(sample=sample))
    assert found(outcome) == {id_: kind for id_, kind in differing(states).items() if sample.holds(id_)}
    assert all(map(sample.holds, world.read))
