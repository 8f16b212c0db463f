"""The names under which metrics are published."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dynalens.change import Typed, render
from dynalens.config import MetricConfig
from dynalens.config.rules import metric_findings
from dynalens.target.metrics.contribution import canonical
from dynalens.target.metrics.publication import KeyTemplate, key_template

Value = str | int | float | bool | None

values = (
    st.none()
    | st.booleans()
    | st.integers(-20, 20)
    | st.sampled_from([1.5, 0.5, -1.5])
    | st.sampled_from(
        ["", "1", "1.5", "true", "null", "~", "~1", '~"1"', "ALL", "~ALL", "dynalens:x", ":", "a:b", '"', "\\"]
    )
    | st.text(st.characters(), max_size=4)
)
templates = st.sampled_from(
    ["{a}:{b}", "{b}/{a}", "x{a}::{b}y", "{a}|{b}", '{a}"{b}', "{a}~{b}", "dyna{a}:{b}", "{a} {b}"]
)


def template(key: str, group_by: list[str], total_key: str | None = None) -> KeyTemplate:
    publish = {"key": key, "total_key": total_key}
    metric = MetricConfig.model_validate(
        {"group_by": group_by, "count": True, "total": total_key is not None, "publish": publish}
    )
    assert not list(metric_findings(metric)), "the configuration would refuse it"
    made = key_template(metric)
    assert made
    return made


def fragment(value: Value) -> bytes:
    typed: Typed
    match value:
        case None:
            typed = {"NULL": True}
        case bool():
            typed = {"BOOL": value}
        case str():
            typed = {"S": value}
        case _:
            typed = {"N": str(value)}
    return canonical(render({"v": typed}).fragments["v"])


def key(key_text: str, *group: Value, total_key: str | None = None) -> str:
    names = ["a", "b", "c"][: len(group)]
    return template(key_text, names, total_key).key(tuple(map(fragment, group))).decode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Facebook", "Facebook"),
        ("two words", "two words"),
        ("1", "1"),
        ("null", "null"),
        ('say "hi"', 'say "hi"'),
        ("ünïcode 💶", "ünïcode 💶"),
        ("50%", "50%"),
        (1, "~1"),
        (1.5, "~1.5"),
        (True, "~true"),
        (None, "~null"),
        ("", '~""'),
        ("~x", '~"~x"'),
        ("a\nb", '~"a\\nb"'),
        ("\ud800", '~"\\ud800"'),
        ("ALL", '~"ALL"'),
        ("ALLE", "ALLE"),
        ("dynalens:x", '~"dynalens:x"'),
    ],
)
def test_a_value_stands_as_it_is_or_as_json(value: Value, expected: str) -> None:
    assert key("{a}", value, total_key="ALL") == expected


def test_without_a_published_total_no_string_is_its_name() -> None:
    assert key("{a}", "ALL") == "ALL"


def test_a_value_that_holds_a_separator_is_quoted() -> None:
    assert key("{a}:{b}", "x:y", "z") == '~"x:y":z'
    assert key("{a}:{b}", "x", "y:z") == 'x:~"y:z"'


def test_one_placeholder_needs_no_separator() -> None:
    assert key("donations:{a}", "x:y") == "donations:x:y"


def test_placeholders_may_stand_in_any_order() -> None:
    assert key("{b}/{a}", "x", "y") == "y/x"


def test_a_metric_without_groups_has_one_key() -> None:
    assert key("everything") == "everything"


@given(templates, st.tuples(values, values), st.tuples(values, values))
@example("{a}:{b}", ("x:y", "z"), ("x", "y:z"))
@example("{a}:{b}", ("x", "y"), ('~"x"', "y"))
def test_two_groups_never_share_a_key(text: str, one: tuple[Value, Value], other: tuple[Value, Value]) -> None:
    assume(tuple(map(fragment, one)) != tuple(map(fragment, other)))
    assert key(text, *one, total_key="x:y") != key(text, *other, total_key="x:y")


@given(st.sampled_from(["{a}", "x{a}", "{a}:", "dyna{a}"]), values, values)
def test_two_values_never_share_a_key(text: str, one: Value, other: Value) -> None:
    assume(fragment(one) != fragment(other))
    assert key(text, one, total_key="ALL") != key(text, other, total_key="ALL")


@given(st.sampled_from(["{a}", "dyna{a}", "d{a}"]), values | st.sampled_from(["lens:x", "ynalens:x", "LL"]))
def test_no_group_has_the_key_of_the_total_or_of_dynalens(text: str, value: Value) -> None:
    made = key(text, value, total_key="dALL")
    assert made != "dALL"
    assert not made.startswith("dynalens:")


@given(st.text(st.characters(), max_size=6))
def test_no_key_holds_a_control_character(value: str) -> None:
    assert not any(character < " " for character in key("{a}", value))
