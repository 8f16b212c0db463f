"""Elasticsearch's URL parameters of `_search` and `_count`, as the body that they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from dynalens.errors import RequestError
from dynalens.search.dsl.reading import Part, closest, shown

TRANSPORT: Mapping[str, str] = {
    "allow_no_indices": "the collection is named by the URL",
    "allow_partial_search_results": "answers are always whole",
    "batched_reduce_size": "there are no shards",
    "cancel_after_time_interval": "a search has its own limit of time",
    "ccs_minimize_roundtrips": "there are no other clusters",
    "error_trace": "errors never carry a stack trace",
    "expand_wildcards": "the collection is named by the URL",
    "human": "answers are always readable",
    "ignore_throttled": "no collection is frozen",
    "ignore_unavailable": "the collection is named by the URL",
    "max_concurrent_shard_requests": "there are no shards",
    "pre_filter_shard_size": "there are no shards",
    "preference": "every search sees all that was written before it",
    "pretty": "any JSON reader can indent an answer",
    "request_cache": "answers are never stale",
    "rest_total_hits_as_int": "the server shapes the total",
    "routing": "there are no shards",
    "search_type": "scores always count in the whole collection",
    "timeout": "a search has its own limit of time",
    "typed_keys": "it shapes aggregations alone",
}
"""Parameters that change no hit, and why they mean nothing here. All but these and those below are refused."""

_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?", re.ASCII)
_DIRECTIONS = ("asc", "desc")
_QUERY_OPTIONS = {
    "df": "default_field",
    "default_operator": "default_operator",
    "lenient": "lenient",
    "analyze_wildcard": "analyze_wildcard",
}


def read_uri(parameters: Sequence[tuple[str, str]]) -> Mapping[str, object]:
    """Turn the parameters of a URL into the body they stand for; each of its keys takes the place of the body's.

    `q` becomes a `query_string` query. What the body cannot honour (`explain=true`) is refused when that is read.

    Raises:
        RequestError: A parameter is unknown, given twice, or has a value of another kind.
    """
    given = once(parameters)
    shaping = {name: Part(name, value) for name, value in given.items() if name not in TRANSPORT}
    for name, part in shaping.items():
        if name not in _VALUES and name not in _QUERY_OPTIONS and name not in _SPECIAL:
            known = (*_VALUES, *_QUERY_OPTIONS, *_SPECIAL, *TRANSPORT)
            raise part.wrong("is no parameter that is supported.", _ELSEWHERE.get(name) or closest(name, known))
    body = {name: _VALUES[name](part) for name, part in shaping.items() if name in _VALUES}
    return {**body, **_query(shaping), **_source(shaping)}


def once(parameters: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Give parameters that may stand once each by name.

    Raises:
        RequestError: One stands twice.
    """
    given = dict(parameters)
    if len(given) < len(parameters):
        names = [name for name, _ in parameters]
        twice = next(name for name in names if names.count(name) > 1)
        raise RequestError(f"The parameter {shown(twice)!r} is given twice.", hint="Give it once.")
    return given


def _query(given: Mapping[str, Part]) -> Mapping[str, object]:
    options = {option: given[name] for name, option in _QUERY_OPTIONS.items() if name in given}
    if "q" not in given:
        _refuse_without_q(options)
        return {}
    flags = ("lenient", "analyze_wildcard")
    values = {option: flag(part) if option in flags else part.value for option, part in options.items()}
    return {"query": {"query_string": {"query": given["q"].value, **values}}}


def _refuse_without_q(options: Mapping[str, Part]) -> None:
    for part in options.values():
        raise part.wrong("says how to read q, which is missing.", "Add q=words, or leave it out.")


def _source(given: Mapping[str, Part]) -> Mapping[str, object]:
    """Read `_source=true`, `_source=a,b`, and the two lists of paths beside it."""
    lists = {name: _list(given[f"_source_{name}"]) for name in ("includes", "excludes") if f"_source_{name}" in given}
    if "_source" not in given:
        return {"_source": lists} if lists else {}
    part = given["_source"]
    if part.value in ("", "true", "false"):
        wanted = flag(part)
        return {"_source": lists if wanted and lists else wanted}
    if "includes" in lists:
        raise part.wrong("names paths, and so does _source_includes.", "Write one of them.")
    return {"_source": {"includes": _list(part), **lists}}


def flag(part: Part) -> bool:
    """Read a parameter that is true where it is merely there.

    Raises:
        RequestError: It is neither empty nor true or false.
    """
    return part.choice({"": True, "true": True, "false": False})


def whole(part: Part) -> int:
    """Read a whole number.

    Raises:
        RequestError: It is something else.
    """
    text = part.text()
    if not _WHOLE.fullmatch(text):
        raise part.wrong(f"is {part.kind()}.", "Write a whole number.")
    return int(text)


def _number(part: Part) -> Decimal:
    text = part.text()
    if not _NUMBER.fullmatch(text):
        raise part.wrong(f"is {part.kind()}.", "Write a number.")
    return Decimal(text)


def _flag_or_whole(part: Part) -> bool | int:
    return flag(part) if part.value in ("", "true", "false") else whole(part)


def _list(part: Part) -> list[str]:
    return [entry.strip() for entry in part.text().split(",") if entry.strip()]


def _sort(part: Part) -> list[object]:
    """Read `a,b:desc`; a field that holds a colon needs its direction, `a:b:asc`."""
    return [_sort_key(part, entry) for entry in _list(part)]


def _sort_key(part: Part, entry: str) -> object:
    field, colon, direction = entry.rpartition(":")
    if not colon:
        return entry
    if direction not in _DIRECTIONS:
        raise part.wrong(
            f"has the direction {shown(direction)!r}.", f"Write {shown(field)}:asc or {shown(field)}:desc."
        )
    return {field: direction}


_VALUES: Mapping[str, Callable[[Part], object]] = {
    "docvalue_fields": _list,
    "explain": flag,
    "from": whole,
    "min_score": _number,
    "seq_no_primary_term": flag,
    "size": whole,
    "sort": _sort,
    "stored_fields": _list,
    "terminate_after": whole,
    "track_scores": flag,
    "track_total_hits": _flag_or_whole,
    "version": flag,
}
"""Parameters that are keys of the body under the same name."""

_SPECIAL = ("q", "_source", "_source_includes", "_source_excludes")

_ELSEWHERE: Mapping[str, str] = {
    "analyzer": "Leave it out: words are found in one way in all fields.",
    "filter_path": "Leave it out: answers come whole; _source says which parts of documents to give.",
    "format": "Leave it out: answers are JSON.",
    "source": "Send it as the body of a POST.",
    "source_content_type": "Send the body with its header Content-Type.",
    "suggest_field": "Write a match query with fuzziness.",
    "suggest_text": "Write a match query with fuzziness.",
}
"""Parameters that are well known elsewhere: what to do instead."""
