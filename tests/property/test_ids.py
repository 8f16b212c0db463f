"""Ids are injective over keys of every shape, and fit every place that an id goes to."""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynalens.change import ID_BYTES, DecodeError, KeySchema, document_id, typed_key

Key = tuple[dict[str, Any], ...]

# What the id's own syntax is made of, what it must not let through, and what takes several bytes.
TOKENS = [
    "\\",
    "|",
    "|S:",
    "S:",
    "N:",
    "B:",
    "~",
    "~~",
    "%",
    "7E",
    "5C",
    ".",
    "a",
    "/",
    "?",
    "#",
    " ",
    "\x00",
    "\x7f",
    "\ud800",
    "é",
    "\U0001f600",
]
SEPARATORS = st.lists(st.sampled_from(["\\", "|", "|S:", "a"]), max_size=4).map("".join)
ADVERSARIAL = st.lists(st.sampled_from(TOKENS), max_size=6).map("".join)
TEXTS = st.one_of(
    ADVERSARIAL,
    st.text(st.characters(exclude_categories=()), max_size=8),
    st.builds(lambda text, times: text * times, ADVERSARIAL, st.integers(1, 300)),
)
NUMBERS = st.builds(
    lambda sign, digits, exponent: Decimal((sign, tuple(map(int, str(digits))), exponent)),
    st.integers(0, 1),
    st.one_of(st.integers(0, 12), st.integers(0, 10**38 - 1)),
    st.one_of(st.integers(-3, 3), st.integers(-130, 88)),
)
SPELLINGS = st.one_of(NUMBERS.map(lambda value: format(value, "f")), NUMBERS.map(str))
BINARY = st.binary(max_size=1024).map(lambda binary: base64.b64encode(binary).decode())
PARTS = st.one_of(
    TEXTS.map(lambda text: {"S": text}),
    SPELLINGS.map(lambda text: {"N": text}),
    BINARY.map(lambda text: {"B": text}),
)
KEYS: st.SearchStrategy[Key] = st.lists(PARTS, min_size=1, max_size=2).map(tuple)


def id_of(key: Key) -> str:
    names = ("partition", "sort")[: len(key)]
    return document_id(dict(zip(names, key, strict=True)), KeySchema(names))


def meaning(key: Key) -> tuple[object, ...]:
    """What makes two keys the same one: the types and the values, numbers as numbers and binary as bytes."""
    return tuple(_meaning(part) for part in key)


def _meaning(part: Mapping[str, Any]) -> tuple[str, object]:
    [(kind, value)] = part.items()
    if kind == "N":
        return kind, Decimal(value)
    return kind, base64.b64decode(value) if kind == "B" else value


@given(KEYS, KEYS)
def test_two_keys_have_one_id_exactly_when_they_are_the_same(one: Key, other: Key) -> None:
    assert (id_of(one) == id_of(other)) == (meaning(one) == meaning(other))


@given(SEPARATORS, SEPARATORS)
def test_two_strings_can_be_told_apart_in_one_way_only(one: str, other: str) -> None:
    # Nearly the same keys: what the id could mean too if it were cut or read carelessly.
    text = id_of(({"S": one}, {"S": other}))
    for cut in range(len(text)):
        if text.startswith("|S:", cut):
            for read in (str, bars, slashes, both):
                key = (read(text[2:cut]), read(text[cut + 3 :]))
                assert (id_of(({"S": key[0]}, {"S": key[1]})) == text) == (key == (one, other))


def bars(text: str) -> str:
    return text.replace("\\|", "|")


def slashes(text: str) -> str:
    return text.replace("\\\\", "\\")


def both(text: str) -> str:
    return slashes(bars(text))


@given(KEYS)
def test_no_key_is_called_what_another_one_is(key: Key) -> None:
    # Strings that look like the id itself, or like what it was made from.
    text = id_of(key)
    spelled = "|".join(f"{kind}:{value}" for part in key for kind, value in part.items())
    escaped = quote(spelled, errors="surrogatepass")
    for name in (text, text[1:], unquote(text), unquote(text[1:]), "~" + text, spelled, "~" + spelled, escaped):
        impostor: Key = ({"S": name},)
        assert (id_of(impostor) == text) == (impostor == key)


@given(TEXTS)
def test_a_string_is_the_whole_id_or_an_escaped_one(text: str) -> None:
    assert id_of(({"S": text},)) == text or id_of(({"S": text},)).startswith("~")


@given(TEXTS, st.integers(1, 2), KEYS)
def test_a_hashed_id_is_never_a_short_one(text: str, parts: int, other: Key) -> None:
    long: Key = ({"S": text + "x" * ID_BYTES},) if parts == 1 else ({"S": text}, {"S": "x" * ID_BYTES})
    hashed = id_of(long)
    assert len(hashed) == len("~~") + 64 or (parts == 1 and text == "")
    assert (id_of(other) == hashed) == (meaning(other) == meaning(long))


@given(NUMBERS, st.integers(0, 3))
def test_equal_numbers_have_one_id(value: Decimal, zeros: int) -> None:
    plain = format(value, "f")
    longer = plain + ("0" * zeros if "." in plain else "." + "0" * (zeros + 1))
    assert id_of(({"N": str(value)},)) == id_of(({"N": plain},)) == id_of(({"N": longer},))


@given(TEXTS)
def test_text_is_not_normalised(text: str) -> None:
    forms: tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...] = ("NFC", "NFD", "NFKC", "NFKD")
    for form in forms:
        normal = unicodedata.normalize(form, text)
        assert (id_of(({"S": normal},)) == id_of(({"S": text},))) == (normal == text)


@given(KEYS)
def test_an_id_fits_every_engine_and_every_url(key: Key) -> None:
    text = id_of(key)
    assert 0 < len(text.encode("utf-8")) <= ID_BYTES
    assert text not in {".", ".."}
    assert not any(ord(character) < 0x20 or ord(character) == 0x7F for character in text)
    url = "http://localhost/api/v1/collections/donations/documents/" + quote(text, safe="")
    assert unquote(urlsplit(url).path.removeprefix("/api/v1/collections/donations/documents/")) == text


@given(KEYS)
def test_an_id_tells_its_key_unless_it_is_hashed(key: Key) -> None:
    names = ("partition", "sort")[: len(key)]
    found = typed_key(id_of(key), KeySchema(names))
    if id_of(key).startswith("~~"):
        assert found is None
    else:
        assert found is not None
        assert meaning(tuple(dict(found[name]) for name in names)) == meaning(key)


@pytest.mark.parametrize(
    "id_", ["S:a", "a", "S:a|", "S:a|S:b|S:c", "S:a|X:b", "S:a|S:b\\", "~a%7Cb", "|", "S:aS:b", "~%FF"]
)
def test_what_is_no_id_of_such_a_key_is_refused(id_: str) -> None:
    with pytest.raises(DecodeError, match="no id"):
        typed_key(id_, KeySchema(("partition", "sort")))
