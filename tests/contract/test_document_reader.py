"""The contract of `DocumentReader`, held by every target that gives whole documents back."""

from __future__ import annotations

from typing import Protocol, cast

import pytest

from dynalens.change import Typed, typed_item
from dynalens.target import DocumentReader, Target, version
from tests.contract.hostile import ATTRIBUTES
from tests.contract.implementations import COLLECTIONS, Subject
from tests.contract.writing import SECOND, delete, put


class ReadableTarget(Target, DocumentReader, Protocol):
    """A target that gives documents back."""


@pytest.fixture
def readable(target: Target) -> ReadableTarget:
    """A target that serves one empty generation of `donations`."""
    return cast("ReadableTarget", target)


pytestmark = pytest.mark.parametrize("subject", ["memory", "sql", "search", "cluster"], indirect=True)


@pytest.mark.parametrize("attributes", ATTRIBUTES.values(), ids=ATTRIBUTES)
def test_a_document_is_given_back_with_its_types(readable: ReadableTarget, attributes: dict[str, Typed]) -> None:
    write = put("a", version(1, 1), attributes=attributes)
    readable.apply([write])
    stored = readable.document("donations", "a")
    assert stored is not None
    assert write.document is not None
    assert (stored.id, stored.json) == ("a", write.document.json)
    assert typed_item(stored.json, stored.types) == typed_item(write.document.json, write.document.types)


@pytest.mark.parametrize("key", ["", "it's", 'say "hi"', "new\nline", "\ud800", "a/b", "名前", "k" * 2048])
def test_a_document_is_found_by_its_id_however_it_looks(readable: ReadableTarget, key: str) -> None:
    write = put(key, version(1, 1))
    readable.apply([write, put("other", version(1, 2), n=2)])
    stored = readable.document("donations", write.id)
    assert stored is not None
    assert write.document is not None
    assert (stored.id, stored.json) == (write.id, write.document.json)


def test_there_is_no_document_where_none_lives(readable: ReadableTarget) -> None:
    readable.apply([put("a", version(1, 1)), delete("a", version(1, 2)), put("b", version(1, 3))])
    assert readable.document("donations", "a") is None
    assert readable.document("donations", "never") is None
    assert readable.document("donations", "B") is None


def test_documents_are_those_of_the_served_generation(readable: ReadableTarget, subject: Subject) -> None:
    readable.create(SECOND, COLLECTIONS["donations"])
    readable.apply([put("a", version(1, 1)), put("b", version(1, 1), generation=SECOND)])
    readable.apply([put("c", version(1, 1), generation=SECOND)])
    subject.settle()
    assert readable.document("donations", "b") is None
    assert readable.count("donations") == 1
    readable.serve(SECOND)
    assert readable.document("donations", "a") is None
    assert readable.count("donations") == 2


def test_documents_are_counted_once_each(readable: ReadableTarget, subject: Subject) -> None:
    assert readable.count("donations") == 0
    for epoch in (1, 2):
        readable.apply([put(f"key-{n}", version(epoch, n)) for n in range(30)])
    readable.apply([delete(f"key-{n}", version(3, n)) for n in range(10)])
    subject.settle()
    assert readable.count("donations") == 20


def test_fields_are_listed_with_the_types_seen(readable: ReadableTarget, subject: Subject) -> None:
    values: list[Typed] = [
        {"S": "x"},
        {"N": "1"},
        {"BOOL": True},
        {"NULL": True},
        {"L": []},
        {"M": {"deep": {"S": ""}}},
    ]
    readable.apply([put(f"key-{n}", version(1, n), attributes={"v": value}) for n, value in enumerate(values)])
    readable.apply([put("set", version(1, 10), attributes={"v": {"NS": ["1"]}, "rare": {"B": "AA=="}})])
    readable.apply([put("gone", version(1, 11), attributes={"v": {"S": "y"}, "lost": {"S": ""}})])
    readable.apply([delete("gone", version(1, 12))])
    subject.settle()
    fields = readable.fields("donations")
    assert {field.name: dict(field.types) for field in fields} == {
        "id": {"string": 7},
        "n": {"number": 7},
        "v": {"string": 1, "number": 1, "bool": 1, "null": 1, "array": 2, "map": 1},
        "rare": {"string": 1},
    }
    assert fields[-1].name == "rare"


def test_hostile_names_are_listed_as_they_are(readable: ReadableTarget, subject: Subject) -> None:
    attributes = ATTRIBUTES["hostile names"]
    readable.apply([put("a", version(1, 1), attributes=attributes)])
    subject.settle()
    assert {field.name for field in readable.fields("donations")} == {"id", "n", *attributes}


def test_a_subject_names_its_target(subject: Subject) -> None:
    assert subject.target.name
