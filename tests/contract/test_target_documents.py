"""The contract of `Target`, held by every implementation: whatever DynamoDB can hold is kept whole, and apart."""

from __future__ import annotations

import random

import pytest

from dynalens.change import Typed
from dynalens.target import Target, version
from tests.contract.hostile import ATTRIBUTES
from tests.contract.implementations import Subject, assert_holds
from tests.contract.writing import delete, put


@pytest.mark.parametrize("attributes", ATTRIBUTES.values(), ids=ATTRIBUTES)
def test_whatever_an_item_holds_is_kept_whole(subject: Subject, target: Target, attributes: dict[str, Typed]) -> None:
    before, odd, after = put("a", 1), put("b", 2, attributes=attributes), put("c", 3)
    assert target.apply([before, odd, after]) == []
    assert_holds(subject, [before, odd, after])


def test_items_of_every_shape_share_a_collection(subject: Subject, target: Target) -> None:
    writes = [put(name, number, attributes=ATTRIBUTES[name]) for number, name in enumerate(ATTRIBUTES, 1)]
    assert target.apply(writes) == []
    assert_holds(subject, writes)


def test_one_attribute_may_hold_a_different_type_in_every_item(subject: Subject, target: Target) -> None:
    values = [*ATTRIBUTES["every type"].values(), *ATTRIBUTES["empty values"].values()]
    order = random.Random(5)  # noqa: S311 - no secret
    for epoch in range(1, 4):
        order.shuffle(values)
        writes = [put(f"key-{n}", version(epoch, n), attributes={"v": value}) for n, value in enumerate(values)]
        # In one batch, and one by one: an engine that learns types from the first rows sees both.
        assert target.apply(writes[:8]) == []
        assert [rejection for write in writes[8:] for rejection in target.apply([write])] == []
        assert_holds(subject, writes)


def test_a_document_of_390_kilobytes(subject: Subject, target: Target) -> None:
    attributes: dict[str, Typed] = {
        "text": {"S": "€" * 65_000},
        "binary": {"B": "AAEC" * 25_000},
        "list": {"L": [{"M": {"k": {"N": str(n)}}} for n in range(6_000)]},
    }
    write = put("large", version(1, 1), attributes=attributes)
    assert write.document is not None
    assert len(write.document.json) > 350_000
    assert target.apply([write, put("small", version(1, 2))]) == []
    assert_holds(subject, [write, put("small", version(1, 2))])


@pytest.mark.parametrize(
    "keys",
    [
        ["", " ", "  "],
        ["a", "A", "á", "a\u0301"],
        ["a/b", "a%2Fb", "a?b", "a#b", "..", "."],
        ["it's", 'say "hi"', "`x`", "back\\slash", "new\nline", "tab\t", "nul\x00", "\ud800"],
        ["1", "01", "1.0", "true", "null", "[]", "{}"],
        ["*", "a:b", "a|b", "{tag}", "}", "~", "~~", "ALL"],
        ["k" * 512, "k" * 513, "k" * 2048, "€" * 600],
        ["名前", "🜁", "\u200b", "\ufeff"],
    ],
    ids=["blank", "case", "paths", "quotes", "scalars", "separators", "long", "unicode"],
)
def test_documents_whose_ids_look_alike_stay_apart(subject: Subject, target: Target, keys: list[str]) -> None:
    writes = [put(key, version(1, n), n) for n, key in enumerate(keys)]
    assert target.apply(writes) == []
    assert_holds(subject, writes)
    target.apply([delete(keys[0], version(2, 0))])
    assert_holds(subject, writes[1:])
