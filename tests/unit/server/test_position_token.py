from __future__ import annotations

import zlib
from base64 import urlsafe_b64encode

import pytest

from dynalens.errors import RequestError
from dynalens.partition import START, Partition, Position
from dynalens.position import PartitionState
from dynalens.server.position_token import behind, last_shards, read_token, token_of

END = Position(ended=True, rank=50)


def state(shard: str, position: Position = START, *parents: str, target: str = "sql") -> PartitionState:
    return PartitionState(Partition(shard, "shard", parents), target, 1, position)


def at(rank: int) -> Position:
    return Position(rank=rank, token=str(rank))


def missing(seen: list[PartitionState], now: list[PartitionState], target: str = "sql") -> list[str]:
    """Say what a target lacks now of what was seen."""
    return list(behind(read_token(str(token_of("Donations", seen))), target, now))


def test_a_position_that_is_reached_lacks_nothing_and_one_that_is_not_is_named() -> None:
    assert missing([state("a", at(7))], [state("a", at(7))]) == []
    assert missing([state("a", at(7))], [state("a", at(8))]) == []
    assert missing([state("a", at(7))], [state("a", END)]) == []
    assert missing([state("a", END)], [state("a", at(99))]) == ["shard a stands at sequence number 99, before its end"]
    assert missing([state("a", at(7))], [state("a")]) == ["shard a stands at its beginning, before sequence number 7"]


def test_another_targets_positions_do_not_count() -> None:
    searched = state("a", at(3), target="search")
    assert missing([state("a", at(7))], [state("a", at(9)), searched], "search") != []


def test_a_shard_that_was_split_is_past_once_its_children_are_read() -> None:
    seen = [state("a", at(7))]
    children = [state("b", at(1), "a"), state("c", START, "a")]
    assert missing(seen, [state("a", END), *children]) == []
    assert missing(seen, children) == [], "its own position was forgotten meanwhile"
    assert missing(seen, [state("e", START, "d"), state("d", END, "b"), state("b", END, "a")]) == []


def test_the_end_of_a_shard_is_told_until_its_children_are_read() -> None:
    drained, child = state("a", END), state("b", at(60), "a")
    assert [one.partition.id for one in last_shards([drained])] == ["a"]
    assert [one.partition.id for one in last_shards([drained, child])] == ["b"]
    assert missing([drained], [state("a", at(49))]) != []


def test_a_target_that_still_reads_an_ancestor_has_not_passed_the_child() -> None:
    child, grandchild = state("b", END, "a"), state("c", at(9), "b")
    seen = [state("a", END), child, grandchild]
    behind_them = state("a", at(5), target="search")
    assert missing(seen, [*seen, behind_them], "search") == ["shard c is not read yet"]
    assert missing([state("a", END), child], [behind_them], "search") == ["shard b is not read yet"], (
        "a store that went back knows nothing of the child"
    )


def test_a_target_that_has_not_begun_has_reached_nothing() -> None:
    seen = [state("a", at(7))]
    assert missing(seen, seen, "search") == ["shard a is not read yet"]


def test_a_shard_that_nobody_knows_any_more_is_over() -> None:
    assert missing([state("a", at(7))], [state("x", at(1))]) == []


def test_segments_of_a_scan_are_no_part_of_a_position() -> None:
    segment = PartitionState(Partition("scan-1-0", "segment"), "sql", 1, at(100))
    assert token_of("Donations", [segment]).shards == ()


def test_a_token_is_safe_in_a_url_and_in_a_header() -> None:
    text = str(token_of("Donations", [state(f"shardId-{number:020}", at(10**39)) for number in range(100)]))
    assert text.replace("-", "").replace("_", "").isalnum()
    assert text.isascii()


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'[2,"Donations",[]]',
        b'[1,"Donations",[["a","x",false,[]]]]',
        b'[1,"Donations",[["a","1"]]]',
        b'[1,"Donations",[["a","' + b"9" * 61 + b'",false,[]]]]',
        b'[1,"' + b"x" * (1 << 20) + b'",[]]',
    ],
)
def test_what_is_no_token_is_refused_with_where_to_get_one(body: bytes) -> None:
    with pytest.raises(RequestError, match="is no position") as refused:
        read_token(urlsafe_b64encode(zlib.compress(body)).decode())
    assert "/position" in refused.value.hint


@pytest.mark.parametrize("text", ["", "x", "é", "AAAA", "🙂" * 1000, "eJyL"])
def test_what_is_not_even_compressed_is_refused_too(text: str) -> None:
    with pytest.raises(RequestError, match="is no position"):
        read_token(text)
