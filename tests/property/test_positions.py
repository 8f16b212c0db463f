"""Positions as clients carry them: they come back as they were, and stay reached whatever a target goes on to read."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dynalens.partition import START, Partition, Position
from dynalens.position import PartitionState
from dynalens.server.position_token import behind, last_shards, read_token, token_of

POSITIONS = st.builds(Position, st.booleans(), st.integers(-1, 10**40))
SHARDS = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=65), POSITIONS, max_size=20)


def states(shards: dict[str, Position]) -> list[PartitionState]:
    return [PartitionState(Partition(id_), "sql", 1, position) for id_, position in shards.items()]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=255), SHARDS)
def test_a_token_comes_back_as_it_was(table: str, shards: dict[str, Position]) -> None:
    token = token_of(table, states(shards))
    assert read_token(str(token)) == token
    assert {shard.id: shard.position for shard in token.shards} == shards


@given(st.dictionaries(st.sampled_from("abcd"), st.tuples(POSITIONS, POSITIONS), min_size=1))
def test_a_position_is_reached_where_every_shard_is_as_far(pairs: dict[str, tuple[Position, Position]]) -> None:
    token = token_of("t", states({id_: seen for id_, (seen, _) in pairs.items()}))
    missing = list(behind(token, "sql", states({id_: now for id_, (_, now) in pairs.items()})))
    assert len(missing) == sum(now < seen for seen, now in pairs.values())


@given(st.data())
def test_what_a_target_has_reached_it_keeps_having_while_it_reads_on_through_splits(data: st.DataObject) -> None:
    now = {"0": PartitionState(Partition("0"), "sql", 1, START)}
    tokens = []
    for step in range(data.draw(st.integers(1, 20))):
        tokens.append(token_of("t", now.values()))
        one = data.draw(st.sampled_from(last_shards(now.values())))
        if one.position.ended:
            for child in (f"{step}l", f"{step}r"):
                now[child] = PartitionState(Partition(child, "shard", (one.partition.id,)), "sql", 1, START)
        else:
            rank = one.position.rank + data.draw(st.integers(0, 3))
            now[one.partition.id] = replace(one, position=Position(data.draw(st.booleans()), rank))
        if data.draw(st.booleans()):
            # Those that the stream no longer lists, oldest first.
            over = [id_ for id_, state in now.items() if state not in last_shards(now.values())]
            for id_ in over[: data.draw(st.integers(0, len(over)))]:
                del now[id_]
        for token in tokens:
            assert list(behind(token, "sql", list(now.values()))) == []
