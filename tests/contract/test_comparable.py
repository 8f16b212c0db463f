"""The contract of `Comparable`, held by every target: equal digests mean equal content, and a walk misses nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, cast

import pytest

from dynalens.change import Document, Typed, render, typed_item
from dynalens.errors import TargetError
from dynalens.target import Comparable, Generation, Target, Write, version
from tests.contract.hostile import ATTRIBUTES
from tests.contract.implementations import COLLECTIONS
from tests.contract.together import together
from tests.contract.writing import FIRST, SECOND, delete, put


class ComparableTarget(Target, Comparable, Protocol):
    """A target that can be compared with its table."""


@pytest.fixture
def comparable(target: Target) -> ComparableTarget:
    """A target that serves one empty generation of `donations`."""
    return cast("ComparableTarget", target)


def digests(target: Comparable, writes: Sequence[Write]) -> dict[str, bytes | None]:
    """What the target would keep of the items that these writes put."""
    return {write.id: target.digest(FIRST, write.document) for write in writes if write.document is not None}


def kept(target: Comparable, *writes: Write) -> dict[str, bytes]:
    return target.kept(FIRST, [write.id for write in writes])


def pages(target: Comparable, limit: int) -> Iterator[Sequence[str]]:
    found = target.walk(FIRST, "", limit)
    yield found.ids
    while found.cursor:
        found = target.walk(FIRST, found.cursor, limit)
        yield found.ids


def reordered(document: Document) -> Document:
    """Give the same item as another read of it may show it: in another order wherever order does not count."""
    return render(_reordered(typed_item(document.json, document.types)))


def _reordered(members: dict[str, Typed]) -> dict[str, Typed]:
    return {name: _reordered_value(members[name]) for name in reversed(members)}


def _reordered_value(typed: Typed) -> Typed:
    [(kind, value)] = typed.items()
    match kind:
        case "SS" | "NS" | "BS":
            return {kind: value[::-1]}
        case "M":
            return {kind: _reordered(value)}
        case "L":
            return {kind: [_reordered_value(member) for member in value]}
    return typed


@pytest.mark.parametrize("attributes", ATTRIBUTES.values(), ids=ATTRIBUTES)
def test_what_was_applied_has_the_digest_of_its_item(
    comparable: ComparableTarget, attributes: dict[str, Typed]
) -> None:
    write = put("a", version(1, 1), attributes=attributes)
    assert write.document is not None
    comparable.apply([write])
    assert kept(comparable, write) == digests(comparable, [write])
    assert kept(comparable, write) == {"a": comparable.digest(FIRST, reordered(write.document))}


def test_other_content_has_another_digest(comparable: ComparableTarget) -> None:
    before, after = put("a", version(1, 1), n=1), put("a", version(1, 2), n=2)
    comparable.apply([before])
    assert kept(comparable, before) != digests(comparable, [after])


@pytest.mark.parametrize("subject", ["memory", "sql", "search"], indirect=True)
@pytest.mark.parametrize(
    "value",
    [
        {"S": "2"},
        {"N": "2"},
        {"N": "-2"},
        {"B": "Mg=="},
        {"S": "Mg=="},
        {"L": [{"S": "a"}, {"S": "b"}]},
        {"L": [{"S": "b"}, {"S": "a"}]},
        {"SS": ["a", "b"]},
        {"SS": ["a", "c"]},
        {"M": {"a": {"S": "b"}}},
        {"NULL": True},
        {"BOOL": False},
        {"S": ""},
        {"S": "null"},
    ],
    ids=str,
)
def test_types_and_the_order_of_lists_count(comparable: ComparableTarget, value: Typed) -> None:
    first = put("a", version(1, 1), attributes={"v": {"L": [{"NULL": True}]}})
    other = put("a", version(1, 2), attributes={"v": value})
    comparable.apply([other])
    assert kept(comparable, other) == digests(comparable, [other])
    assert kept(comparable, other) != digests(comparable, [first])


@pytest.mark.parametrize("spellings", [("2", "2.0"), ("1E+2", "100"), ("0.50", "5e-1"), ("-0", "0")])
def test_the_spelling_of_a_number_does_not_count(comparable: ComparableTarget, spellings: tuple[str, str]) -> None:
    one, other = (put("a", version(1, 1), attributes={"v": {"N": text}, "w": {"NS": [text]}}) for text in spellings)
    comparable.apply([one])
    assert kept(comparable, one) == digests(comparable, [other])


def test_neither_versions_nor_generations_count(comparable: ComparableTarget) -> None:
    comparable.create(SECOND, COLLECTIONS["donations"])
    first, again = put("a", version(1, 1)), put("a", version(7, 9))
    comparable.apply([first])
    before = kept(comparable, first)
    comparable.apply([again, put("a", version(8, 1), n=5, generation=SECOND)])
    assert kept(comparable, first) == before
    assert comparable.kept(SECOND, ["a"]) != before


def test_what_is_not_live_is_not_kept(comparable: ComparableTarget) -> None:
    live, gone = put("live", version(1, 1)), put("gone", version(1, 2))
    comparable.apply([live, gone, delete("gone", version(1, 3)), delete("never", version(1, 4))])
    assert kept(comparable, live, gone, put("never", 0), put("unheard of", 0)) == digests(comparable, [live])
    assert [id_ for page in pages(comparable, 10) for id_ in page] == ["live"]
    assert comparable.kept(FIRST, []) == {}


IDS = [
    *(f"key-{n:03}" for n in range(300)),
    *("p" * 300 + suffix for suffix in ("a", "b", "é", "名")),
    *("long" * 500 + str(n) for n in range(3)),
    *("", "~", "S:x", "a|b", "it's", "back\\slash", "new\nline", "\ud800", "名前", "🜁", "{tag}", "*", "2020-01-01"),
]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_a_walk_lists_every_live_document(comparable: ComparableTarget, limit: int) -> None:
    writes = [put(key, version(1, n), n) for n, key in enumerate(IDS)]
    comparable.apply(writes)
    comparable.apply([delete(key, version(2, n)) for n, key in enumerate(IDS[:20])])
    listed = [id_ for page in pages(comparable, limit) for id_ in page]
    assert sorted(listed) == sorted(write.id for write in writes[20:])
    assert comparable.kept(FIRST, listed) == digests(comparable, writes[20:])


def test_a_walk_of_nothing_ends(comparable: ComparableTarget) -> None:
    assert list(pages(comparable, 5)) == [[]]


def test_a_walk_misses_nothing_that_is_live_throughout(comparable: ComparableTarget) -> None:
    """Between its pages documents come, change and go, on both sides of the cursor."""
    staying = [put(f"stays-{n:03}", version(1, n), n) for n in range(100)]
    comparable.apply([*staying, *(put(f"goes-{n:03}", version(2, n)) for n in range(50))])
    listed: set[str] = set()
    for step, page in enumerate(pages(comparable, 9)):
        listed.update(page)
        comparable.apply(
            [
                *(put(f"{'az'[n % 2]}-{step}-{n}", version(3, 20 * step + n)) for n in range(10)),
                delete(f"goes-{step:03}", version(3, 20 * step + 10)),
                put(f"stays-{step * 7 % 100:03}", version(3, 20 * step + 11), n=1000 + step),
            ]
        )
        if len(listed) >= 400:  # what comes behind the cursor for ever is no fault of the walk
            break
    assert {write.id for write in staying} <= listed


def test_reading_beside_the_writer(comparable: ComparableTarget) -> None:
    staying = [put(f"stays-{n:02}", version(1, n), n) for n in range(30)]
    comparable.apply(staying)
    expected = digests(comparable, staying)

    def write() -> None:
        for step in range(20):
            comparable.apply([put(f"comes-{step}", version(2, step)), delete(f"comes-{step - 1}", version(3, step))])

    def compare() -> None:
        for _ in range(20):
            assert expected.keys() <= {id_ for page in pages(comparable, 11) for id_ in page}
            assert kept(comparable, *staying) == expected

    together(write, compare, compare)


def test_a_generation_that_is_not_there_cannot_be_read(comparable: ComparableTarget) -> None:
    missing = Generation("donations", 7)
    for read in (lambda: comparable.kept(missing, ["a"]), lambda: comparable.walk(missing, "", 10)):
        with pytest.raises(TargetError, match="donations@7"):
            read()
