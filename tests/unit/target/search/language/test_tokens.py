"""Tokens stand in the order of their values, differ where values differ, and give the values back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynalens.target.search.language.tokens import (
    LONGEST_EXACT,
    bool_token,
    date_bounds,
    date_token,
    number_token,
    path_name,
    read_spelled,
    spell,
    string_token,
    text_tokens,
    value_of,
)

# What DynamoDB holds: 38 digits, between 1E-130 and 9.99…E+125.
NUMBERS = st.builds(
    lambda sign, digits, size: Decimal((sign, tuple(map(int, str(digits))), size - len(str(digits)) + 1)),
    st.sampled_from((0, 1)),
    st.integers(0, 10**38 - 1),
    st.integers(-130, 125),
)
TEXTS = st.text(
    st.one_of(st.sampled_from("09AZaz_-:./[]{}\"'\\ \n\0~\u00a0\u2003\u3000é東"), st.characters(codec="utf-8"))
)


@given(st.lists(NUMBERS, min_size=2))
def test_numbers_keep_their_order(numbers: list[Decimal]) -> None:
    assert sorted(map(number_token, map(str, numbers))) == [number_token(str(number)) for number in sorted(numbers)]


@given(NUMBERS)
def test_numbers_come_back_with_every_digit(number: Decimal) -> None:
    assert value_of(number_token(str(number))) == number


@pytest.mark.parametrize("same", [["0", "-0", "0.00", "0E+9"], ["10", "10.0", "1e1", "1E+1", "0.1e2"], ["-5", "-5.0"]])
def test_equal_numbers_have_one_token(same: list[str]) -> None:
    assert len(set(map(number_token, same))) == 1


@given(st.lists(TEXTS, min_size=2))
def test_texts_keep_their_order(texts: list[str]) -> None:
    assert sorted(map(string_token, texts)) == [string_token(text) for text in sorted(texts)]


@given(TEXTS)
def test_texts_come_back_and_are_spelled_in_what_the_query_language_leaves_alone(text: str) -> None:
    spelled = spell(text)
    assert read_spelled(spelled) == text
    assert all(letter.isalnum() or letter == "-" or ord(letter) > 0x7F for letter in spelled)
    assert not any(letter.isspace() for letter in spelled)


def test_long_texts_that_differ_only_at_their_end_are_told_apart() -> None:
    long = "x" * LONGEST_EXACT
    tokens = {string_token(text) for text in (long, long + "a", long + "b")}
    assert len(tokens) == 3
    assert value_of(string_token(long + "a")) == long + "…"


def test_kinds_are_told_apart() -> None:
    assert value_of(bool_token(value=True)) is True
    assert value_of(bool_token(value=False)) is False
    assert value_of(string_token("1")) == "1"
    assert len({string_token("1"), number_token("1"), bool_token(value=True)}) == 3


@given(
    st.datetimes(
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3, minutes=-30)), timezone(timedelta(hours=14))])
    ),
    st.datetimes(timezones=st.just(UTC)),
)
def test_instants_keep_their_order_whatever_their_zone(first: datetime, second: datetime) -> None:
    tokens = [date_token(moment.isoformat()) for moment in (first, second)]
    assert None not in tokens
    assert (str(tokens[0]) < str(tokens[1])) == (first < second)


@pytest.mark.parametrize(
    "text",
    ["2019-08-07T07:26:56", "2019-08-07 07:26:56", "2019-08-07T07:26:56Z", "2019-08-07T09:26:56+02:00",
     "2019-08-07T07:26:56.000", "2019-08-07T07:26:56.000000000Z", "2019-08-07T0926:56"[:10] + "T09:26:56+0200"],
)  # fmt: skip
def test_one_instant_has_one_token(text: str) -> None:
    assert date_token(text) == date_token("2019-08-07T07:26:56")


@pytest.mark.parametrize(
    "text",
    ["", "2019", "2019-08", "2019-13-01", "2019-02-30", "20190807", "2019-08-07T", "2019-08-07T25:00", "x019-08-07",
     "2019-08-07T07:26:56 and more", "٢٠١٩-08-07", "0000-01-01"],
)  # fmt: skip
def test_what_is_no_date_has_no_instant(text: str) -> None:
    assert date_token(text) is None


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("2019-08-07", "2019-08-07T23:59:59.999999"),
        ("2019-12", "2019-12-31T23:59:59.999999"),
        ("2019-08-07T07", "2019-08-07T07:59:59.999999"),
        ("2019-08-07T07:26", "2019-08-07T07:26:59.999999"),
        ("2019-08-07T07:26:56", "2019-08-07T07:26:56.999999"),
        ("2019-08-07T07:26:56.5", "2019-08-07T07:26:56.500000"),
    ],
)
def test_a_date_stands_for_all_that_it_does_not_name(text: str, last: str) -> None:
    bounds = date_bounds(text)
    assert bounds is not None
    assert bounds[1] == date_token(last)


def test_names_of_paths_hold_what_the_query_language_leaves_alone() -> None:
    names = ["address.city", "first name", "a-b", "x:y", "", "a..b", "имя", "a b", "a\u00a0b", "名", "a-20-b"]
    assert path_name("address.city") == "address.city"
    assert len({path_name(name) for name in names}) == len(names)
    for name in names:
        assert all(letter.isalnum() or letter in "-_." for letter in path_name(name))


def test_the_last_day_of_the_calendar_is_a_date() -> None:
    assert date_token("9999-12-31") is not None
    assert date_bounds("9999-12") is not None


def test_a_date_in_a_document_has_its_text_and_its_instant() -> None:
    assert [token[0] for token in text_tokens("2020-01-01")] == ["u", "p"]
    assert text_tokens("2020-13-01") == (string_token("2020-13-01"),)
