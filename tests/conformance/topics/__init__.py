"""The corpus and its cases, by topic: each module holds `DOCUMENTS` by key, and `CASES` that ask for them.

All documents stand in one collection, so that every topic's odd values meet those of the others. Topics keep apart by
the fields that they use, and by `topic`, which every document has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType

from tests.conformance.case import Case
from tests.conformance.topics import (
    combined,
    dates,
    facets,
    long_texts,
    marks,
    mixed,
    names,
    numbers,
    orders,
    ranking,
    refused,
    scripts,
    shapes,
    typed_in,
    whole,
    words,
)

TOPICS: Sequence[ModuleType] = (
    numbers,
    dates,
    scripts,
    shapes,
    mixed,
    names,
    long_texts,
    words,
    whole,
    combined,
    ranking,
    typed_in,
    orders,
    facets,
    marks,
    refused,
)


def _name(topic: ModuleType) -> str:
    return topic.__name__.rpartition(".")[2]


DOCUMENTS: Mapping[str, Mapping[str, object]] = {
    key: {"topic": _name(topic), **item} for topic in TOPICS for key, item in topic.DOCUMENTS.items()
}
CASES: Sequence[tuple[str, Case]] = [(f"{_name(topic)}: {case.name}", case) for topic in TOPICS for case in topic.CASES]
