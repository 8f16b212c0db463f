"""What one version of an item adds to metrics."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynalens.change import Document, Typed, render
from dynalens.config import MetricConfig
from dynalens.target.metrics.contribution import (
    LONGEST_TOKEN,
    Contribution,
    canonical,
    contribution,
    scaled,
    tallies,
)
from dynalens.target.metrics.layout import layout

numbers = st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1e20"), max_value=Decimal("1e20"))


def made(
    metric: dict[str, object], item: dict[str, Typed] | None, version: int = 7, created_at: float = 0.0
) -> Contribution:
    counted_by = tallies("donations", {"m": MetricConfig.model_validate(metric)})
    return contribution(counted_by, version, None if item is None else render(item), created_at)


def lines(metric: dict[str, object], item: dict[str, Typed]) -> list[bytes]:
    return made(metric, item).text.split(b"\n")[1:]


def test_a_contribution_is_the_version_then_a_line_for_each_metric() -> None:
    metric: dict[str, object] = {"group_by": ["platform"], "sum": {"amount": {"decimals": 2}}}
    item: dict[str, Typed] = {"platform": {"S": "Facebook"}, "amount": {"N": "10.5"}}
    assert made(metric, item).text == b'0000000000000000007\n1050\t"Facebook"'


def test_the_highest_version_has_as_many_digits_as_every_other() -> None:
    assert made({"count": True}, None, (1 << 63) - 1).text == b"9223372036854775807"
    assert made({"count": True}, None, 0).text == b"0000000000000000000"


def test_a_delete_is_the_bare_version_and_keeps_no_group() -> None:
    published = {"key": "{platform}"}
    assert made({"count": True, "group_by": ["platform"], "publish": published}, None) == (
        b"0000000000000000007",
        (b"",),
        (),
    )


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"S": "1"}, b'"1"'),
        ({"N": "1"}, b"1"),
        ({"N": "1.0"}, b"1"),
        ({"N": "1e2"}, b"100"),
        ({"N": "-0"}, b"0"),
        ({"N": "0.10"}, b"0.1"),
        ({"BOOL": True}, b"true"),
        ({"NULL": True}, b"null"),
        (None, b"null"),
        ({"S": ""}, b'""'),
        ({"S": "a\nb\tc"}, b'"a\\nb\\tc"'),
        ({"S": "\ud800"}, b'"\\ud800"'),
        ({"L": [{"N": "1"}]}, b"[1]"),
        ({"M": {"a": {"S": "b"}}}, b'{"a":"b"}'),
    ],
)
def test_a_group_is_the_json_text_of_its_value(value: Typed | None, line: bytes) -> None:
    assert lines({"group_by": ["platform"], "count": True}, {"platform": value} if value else {}) == [line]


def test_a_group_of_several_attributes_keeps_them_apart() -> None:
    metric: dict[str, object] = {"group_by": ["a", "b"], "count": True}
    assert lines(metric, {"a": {"S": "x"}, "b": {"N": "2"}}) == [b'"x"\x1f2']
    assert lines(metric, {"b": {"S": 'x"\x1f"y'}}) == [b'null\x1f"x\\"\\u001f\\"y"']


@pytest.mark.parametrize("value", [None, {"NULL": True}, {"S": "12"}, {"BOOL": True}, {"L": [{"N": "12"}]}])
def test_what_is_no_number_adds_nothing_to_a_sum(value: Typed | None) -> None:
    result = made({"sum": {"amount": {"decimals": 2}}}, {"amount": value} if value else {})
    assert result.text.endswith(b"\n0\t")
    assert not result.problems


@pytest.mark.parametrize(
    ("text", "decimals", "expected"),
    [
        (b"10", 2, b"1000"),
        (b"10.5", 2, b"1050"),
        (b"10.500", 2, b"1050"),
        (b"1.05e1", 2, b"1050"),
        (b"1e-2", 2, b"1"),
        (b"-0.01", 2, b"-1"),
        (b"-0", 2, b"0"),
        (b"0e99", 0, b"0"),
        (b"9223372036854775807", 0, b"9223372036854775807"),
        (b"-9223372036854775808", 0, b"-9223372036854775808"),
        (b"92233720368547758.07", 2, b"9223372036854775807"),
        (b"9.223372036854775807", 18, b"9223372036854775807"),
    ],
)
def test_a_number_is_scaled_exactly(text: bytes, decimals: int, expected: bytes) -> None:
    assert scaled(text, decimals) == (expected, "")


@pytest.mark.parametrize(
    ("text", "decimals", "code"),
    [
        (b"0.005", 2, "out_of_scale"),
        (b"1e-3", 2, "out_of_scale"),
        (b"0.1", 0, "out_of_scale"),
        (b"1e-99999999999999999999", 2, "overflow"),
        (b"9223372036854775808", 0, "overflow"),
        (b"-9223372036854775809", 0, "overflow"),
        (b"92233720368547758.08", 2, "overflow"),
        (b"10", 18, "overflow"),
        (b"1e125", 0, "overflow"),
        (b"1e99999999999999999999", 0, "overflow"),
        (b"99999999999999999999999999999999999999", 0, "overflow"),
    ],
)
def test_a_number_that_a_sum_cannot_hold_is_none(text: bytes, decimals: int, code: str) -> None:
    assert scaled(text, decimals) == (b"!", code)


@given(number=numbers, decimals=st.integers(0, 18))
@example(number=Decimal("-92233720368547758.08"), decimals=2)
def test_scaling_is_exact_or_refused(number: Decimal, decimals: int) -> None:
    text, code = scaled(str(number).encode(), decimals)
    numerator, denominator = number.as_integer_ratio()
    value, rest = divmod(numerator * 10**decimals, denominator)
    if rest:
        assert code == "out_of_scale"
    elif not -(1 << 63) <= value < 1 << 63:
        assert code == "overflow"
    else:
        assert (int(text), code) == (value, "")


@given(st.sampled_from(["0", "1", "-1", "0.5", "123.456", "10", "1e3"]), st.integers(-5, 5), st.booleans())
def test_equal_numbers_are_one_group(text: str, exponent: int, plus: bool) -> None:  # noqa: FBT001 - drawn
    number = Decimal(text)
    respelled = f"{number.scaleb(-exponent):f}e{'+' if plus and exponent >= 0 else ''}{exponent}"
    assert Decimal(respelled) == number
    assert canonical(respelled.encode()) == canonical(text.encode())
    assert Decimal(canonical(text.encode()).decode()) == number


def test_a_number_far_outside_dynamodb_keeps_its_text() -> None:
    assert canonical(b"1e999") == b"1e999"
    assert canonical(b"1e99999999999999999999") == b"1e99999999999999999999"


@pytest.mark.parametrize(
    ("wanted", "value", "counts"),
    [
        ("paid", {"S": "paid"}, True),
        ("paid", {"S": "Paid"}, False),
        ("paid", None, False),
        (1, {"N": "1.0"}, True),
        (1, {"S": "1"}, False),
        ("1", {"S": "1"}, True),
        (1.5, {"N": "1.50"}, True),
        (True, {"BOOL": True}, True),
        (True, {"N": "1"}, False),
        ("YQ==", {"S": "YQ=="}, True),
        ("YQ==", {"B": "YQ=="}, False),
        (None, {"NULL": True}, True),
        (None, None, False),
    ],
)
def test_where_compares_values_with_their_types(wanted: object, value: Typed | None, *, counts: bool) -> None:
    found = lines({"count": True, "where": {"state": wanted}}, {"state": value} if value else {})
    assert found == ([b""] if counts else [b"-"])


def test_a_number_out_of_scale_says_how_to_keep_it() -> None:
    [problem] = made({"sum": {"amount": {"decimals": 2}}}, {"amount": {"N": "10.005"}}).problems
    assert problem.code == "out_of_scale"
    assert problem.message == (
        "donations.m: amount is 10.005, and its sum keeps 2 decimals. Correct the item, or write "
        "`amount: {decimals: 3}`."
    )


def test_a_number_with_more_decimals_than_any_sum_keeps_asks_for_another_item() -> None:
    [problem] = made({"sum": {"amount": {}}}, {"amount": {"N": "1e-19"}}).problems
    assert problem.message == "donations.m: amount is 1e-19, and its sum keeps 0 decimals. Correct the item."


def test_a_number_that_overflows_says_what_to_lower() -> None:
    [problem] = made({"sum": {"amount": {"decimals": 2}}}, {"amount": {"N": "1e38"}}).problems
    assert problem.code == "overflow"
    assert problem.message == (
        "donations.m: amount is 1e38, which with 2 decimals does not fit 64 bits. Correct the item, or lower "
        "`amount: {decimals: 2}`."
    )


def test_one_bad_number_leaves_the_others_of_its_item() -> None:
    result = made({"sum": {"a": {}, "b": {}}}, {"a": {"N": "0.5"}, "b": {"N": "3"}})
    assert result.text.endswith(b"\n!\t3\t")
    assert [problem.attribute for problem in result.problems] == ["a"]


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.text(max_size=5) | st.none(), max_size=3))
def test_no_value_can_break_out_of_its_line(item: dict[str, str | None]) -> None:
    """The scripts part a contribution at newlines and tabs, and a group at the unit separator."""
    typed: dict[str, Typed] = {name: {"NULL": True} if value is None else {"S": value} for name, value in item.items()}
    names = sorted(item)
    counted_by = tallies("donations", {"m": MetricConfig.model_validate({"group_by": names, "sum": {"n": {}}})})
    document: Document = render(typed)
    [_, line] = contribution(counted_by, 1, document, 0.0).text.split(b"\n")
    value, group = line.split(b"\t")
    assert value == b"0"
    assert len(group.split(b"\x1f")) == max(1, len(names))


# What is more than counts and sums.


def test_an_average_is_a_sum_and_how_many_numbers_there_are() -> None:
    metric: dict[str, object] = {"avg": {"amount": {"decimals": 2}}}
    assert lines(metric, {"amount": {"N": "10.5"}}) == [b"1050\t1\t"]
    assert lines(metric, {"amount": {"S": "10.5"}}) == [b"0\t0\t"]
    assert lines(metric, {"amount": {"N": "10.505"}}) == [b"!\t0\t"]


def test_a_sum_and_an_average_alike_share_a_column_and_a_problem() -> None:
    metric: dict[str, object] = {
        "sum": {"a": {"decimals": 1}, "b": {}},
        "avg": {"a": {"decimals": 1}, "b": {"decimals": 2}},
    }
    made_of = made(metric, {"a": {"N": "0.55"}, "b": {"N": "3"}})
    assert made_of.text.endswith(b"\n!\t3\t0\t300\t1\t")
    assert [problem.attribute for problem in made_of.problems] == ["a"]


def test_least_and_greatest_share_a_token_that_sorts_as_numbers_do() -> None:
    metric: dict[str, object] = {"min": ["a", "b"], "max": "a"}
    assert lines(metric, {"a": {"N": "-1.50"}, "b": {"S": "7"}}) == [b"049984z\t\t"]
    assert lines(metric, {"a": {"N": "1e2"}, "b": {"N": "0.0"}}) == [b"25031\t1\t"]


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"N": "1"}, {"N": "1.0"}, True),
        ({"N": "1"}, {"S": "1"}, False),
        ({"S": "a"}, {"S": "A"}, False),
        ({"S": "x" * 43}, {"S": "x" * 44}, False),
        ({"S": "x" * 4000 + "y"}, {"S": "x" * 4000 + "z"}, False),
        ({"S": "x" * 4000}, {"S": "x" * 4000}, True),
        ({"M": {"a": {"N": "1"}, "b": {"NULL": True}}}, {"M": {"b": {"NULL": True}, "a": {"N": "1.0"}}}, True),
        ({"M": {"a": {"N": "1"}}}, {"M": {"a": {"S": "1"}}}, False),
        ({"L": [{"N": "1"}, {"N": "2"}]}, {"L": [{"N": "2"}, {"N": "1"}]}, False),
        ({"L": [{"N": "1"}]}, {"L": [{"N": "1.0"}]}, True),
        ({"BOOL": True}, {"S": "true"}, False),
    ],
)
def test_equal_values_have_one_token(one: Typed, other: Typed, *, equal: bool) -> None:
    tokens = [lines({"distinct": "v"}, {"v": value})[0] for value in (one, other)]
    assert (tokens[0] == tokens[1]) is equal
    assert all(1 < len(token) <= LONGEST_TOKEN + 1 and token.endswith(b"\t") for token in tokens)
    estimated = [lines({"approximate_distinct": "v"}, {"v": value})[0] for value in (one, other)]
    assert (estimated[0] == estimated[1]) is equal
    assert all(len(token) == len("12345678901\t") for token in estimated)


@pytest.mark.parametrize("value", [None, {"NULL": True}])
def test_no_value_has_no_token(value: Typed | None) -> None:
    for setting in ("distinct", "approximate_distinct"):
        assert lines({setting: "v"}, {"v": value} if value else {}) == [b"\t"]


def test_tokens_that_are_only_estimated_stand_behind_all_others() -> None:
    item: dict[str, Typed] = {"v": {"N": "5"}}
    metric: dict[str, object] = {"approximate_distinct": "v", "distinct": "v", "max": "v"}
    alone = [lines({setting: "v"}, item)[0] for setting in ("max", "distinct", "approximate_distinct")]
    assert lines(metric, item) == [b"".join(alone)]


def test_a_bucket_is_the_first_member_of_a_group() -> None:
    metric: dict[str, object] = {"every": "1m", "time": "at", "group_by": "platform", "count": True}
    item: dict[str, Typed] = {"at": {"S": "2026-11-21T15:49:05Z"}, "platform": {"S": "Phone"}}
    assert lines(metric, item) == [b'"2026-11-21T15:49:00Z"\x1f"Phone"']
    assert lines(metric, {}) == [b"null\x1fnull"]
    of_change = made({"every": "1m", "count": True}, {}, created_at=60.5)
    assert of_change.text.endswith(b'\n"1970-01-01T00:01:00Z"')


def test_a_bucket_may_stand_in_a_published_key() -> None:
    metric: dict[str, object] = {"every": "1m", "time": "at", "count": True, "publish": {"key": "minute/{time}"}}
    assert made(metric, {"at": {"N": "0"}}).keys == (b"minute/1970-01-01T00:00:00Z",)
    assert made(metric, {}).keys == (b"minute/~null",)


def test_metrics_that_count_and_sum_only_are_laid_out_as_ever() -> None:
    """Generations of earlier releases are counted on, and must find their keys and fields."""
    settings = {"group_by": "platform", "count": True, "sum": {"amount": {"decimals": 2}}, "total": True}
    described = json.loads(layout("donations", {"m": MetricConfig.model_validate(settings)}))
    assert described["metrics"] == [
        {
            "name": "m",
            "topic": '"donations.m"',
            "live": "dynalens:live:metric:donations.m",
            "attributes": ['"platform":'],
            "sums": 1,
            "values": [
                {"json": '"count":', "field": "count", "sum": 0, "decimals": 0},
                {"json": '"amount_sum":', "field": "amount_sum", "sum": 1, "decimals": 2},
            ],
            "total": True,
            "publishes": False,
        }
    ]
