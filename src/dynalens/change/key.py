"""Keys: the injective text form by which a document is known everywhere."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from dynalens.change.value import DecodeError, Typed, canonical_base64, canonical_number

ID_BYTES = 512
"""Longest id in UTF-8 bytes: OpenSearch's limit for `_id`, the shortest of all engines."""

_HASHED, _PERCENT_ENCODED = "~~", "~"

_PART = re.compile(r"(?P<kind>[SNB]):(?P<text>(?:[^\\|]|\\.)*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_UNSAFE_START = re.compile(r"~|[SNB]:|\.{0,2}\Z").match
_UNSAFE_CHARACTER = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]").search


@dataclass(frozen=True, slots=True)
class KeySchema:
    """Names of a table's key attributes, in the order of the schema: partition key, then sort key if there is one."""

    names: tuple[str, ...]


def document_id(key: Mapping[str, Typed], keys: KeySchema) -> str:
    r"""Give the injective text form of an item's key.

    A single string key is its own id. Every other key is `type:value` of each part, joined by `|` with `|` and `\`
    escaped in strings; equal numbers have one spelling. What would read as another key's id, or what some engine or
    URL does not take as it is, is percent-encoded behind one `~`: the empty string, a leading `~`, `.` and `..`, a
    string key that begins like a typed part, control characters and lone surrogates. More than `ID_BYTES` become
    `~~` and the SHA-256 of the whole form; nothing else starts with `~~`, so a hashed id never equals a short one.
    Text is never normalised: strings that differ in code points differ in their ids.

    Raises:
        KeyError: The item lacks a key attribute.
        DecodeError: A key attribute is not a string, a number or binary.
    """
    first = key[keys.names[0]]
    if len(keys.names) == 1 and "S" in first:
        return _string_id(first["S"])
    text = "|".join([_key_part(key[name]) for name in keys.names])
    return _short_id(_PERCENT_ENCODED + _percent(text, safe=":|@") if _UNSAFE_CHARACTER(text) else text)


def _string_id(text: str) -> str:
    if _UNSAFE_START(text) or _UNSAFE_CHARACTER(text):
        # Without a bare ":" this form cannot begin like a typed part either.
        return _short_id(_PERCENT_ENCODED + _percent(text, safe="|@"))
    return _short_id(text)


def _key_part(typed: Typed) -> str:
    ((kind, value),) = typed.items()
    match kind:
        case "S":
            return "S:" + _escaped(value)
        case "N":
            return "N:" + canonical_number(value)
        case "B":
            return "B:" + canonical_base64(value)
    raise DecodeError(f"a key attribute has type {kind!r:.60}; DynamoDB allows S, N and B")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _percent(text: str, *, safe: str) -> str:
    # quote() leaves "~" as it is; encoding it too keeps "~~" free for hashed ids.
    return quote(text.encode("utf-8", "surrogatepass"), safe=safe).replace("~", "%7E")


def _short_id(text: str) -> str:
    encoded = text.encode()
    return text if len(encoded) <= ID_BYTES else _HASHED + hashlib.sha256(encoded).hexdigest()


# The way back.


def typed_key(id_: str, keys: KeySchema) -> dict[str, Typed] | None:
    """Give the key in DynamoDB JSON that `document_id` made an id of; None for a hashed id, which does not tell it.

    Numbers and binary come in their one spelling, which DynamoDB takes for the same key. The types of the key's
    attributes need not be known: a string that reads like a typed part stands percent-encoded in its id.

    Raises:
        DecodeError: It is no id of such a key.
    """
    if id_.startswith(_HASHED):
        return None
    text = _percent_decoded(id_[1:]) if id_.startswith(_PERCENT_ENCODED) else id_
    if len(keys.names) == 1 and _is_bare(id_):
        return {keys.names[0]: {"S": text}}
    parts = _key_parts(text)
    if len(parts) != len(keys.names):
        raise DecodeError(f"{id_!r:.60} is no id of a key of {len(keys.names)} attributes")
    return dict(zip(keys.names, parts, strict=True))


def _percent_decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise DecodeError(f"{text!r:.60} is no id of any key: {error.reason}") from error


def _is_bare(id_: str) -> bool:
    """Tell whether the id of a key of one attribute is that of a string: every other one begins with its type."""
    return not _PART.match(id_)


def _key_parts(text: str) -> list[Typed]:
    parts: list[Typed] = []
    end = -1
    while end < len(text) and (found := _PART.match(text, end + 1)):
        parts.append({found["kind"]: _ESCAPED.sub(r"\1", found["text"])})
        end = found.end()
    return parts if end == len(text) else []
