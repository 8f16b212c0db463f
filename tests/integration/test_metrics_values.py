"""Averages, least and greatest numbers, different values: over a real server, to the digit, live and published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

import pytest

from dynalens.testing.oracle import compare_metric, expected_metric, from_snapshot
from tests.integration.metrics_writes import (
    FIRST,
    SECOND,
    Value,
    collection,
    delete,
    put,
    seen,
    serving,
)
from tests.integration.test_metrics_live import METRIC, hear
from tests.integration.test_metrics_publication import listening, message, published
from tests.services.valkey import ValkeyServer

VALUES: Mapping[str, object] = {
    "group_by": "platform",
    "avg": {"amount": {"decimals": 2}},
    "min": "amount",
    "max": "amount",
    "distinct": "email",
    "total": True,
}
NOTHING = {"amount_avg": "null", "amount_min": "null", "amount_max": "null", "email_distinct": "0"}


def values(average: str, least: str, greatest: str, different: str) -> tuple[dict[str, str], bool]:
    texts = {"amount_avg": average, "amount_min": least, "amount_max": greatest, "email_distinct": different}
    return texts, True


def test_values_follow_inserts_moves_and_deletes(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=VALUES) as target:
        assert seen(target) == {"*": (NOTHING, True)}
        for document_id, amount, email in (("a", "10", "x"), ("b", "2.5", "y"), ("c", "100.25", "x")):
            target.apply([put(FIRST, document_id, 1, platform="p", amount=Decimal(amount), email=email)])
        whole = values("37.5833333333333", "2.5", "100.25", "2")
        assert seen(target) == {'"p"': whole, "*": whole}
        target.apply([delete(FIRST, "b", 2)])
        assert seen(target)['"p"'] == values("55.125", "10", "100.25", "1")
        target.apply([put(FIRST, "c", 2, platform="q", amount=-1, email="x")])
        assert seen(target) == {
            '"p"': values("10", "10", "10", "1"),
            '"q"': values("-1", "-1", "-1", "1"),
            "*": values("4.5", "-1", "10", "1"),
        }
        target.apply([delete(FIRST, "a", 3), put(FIRST, "c", 3, platform="q", amount="none", email=None)])
        assert seen(target) == {'"q"': (NOTHING, True), "*": (NOTHING, True)}


def test_the_last_of_38_digits_decides(valkey: ValkeyServer) -> None:
    digits = "1234567890123456789012345678901234567"
    numbers = [f"{digits}7", f"{digits}8", f"-0.00{digits}7", f"-0.00{digits}8"]
    with serving(valkey, extremes={"min": "amount", "max": "amount"}) as target:
        target.apply([put(FIRST, text, 1, amount=Decimal(text)) for text in numbers])
        [group] = target.metric("donations", "extremes").groups
        assert group.values == {"amount_min": numbers[3], "amount_max": numbers[1]}
        target.apply([delete(FIRST, numbers[1], 2), delete(FIRST, numbers[3], 2)])
        [group] = target.metric("donations", "extremes").groups
        assert group.values == {"amount_min": numbers[2], "amount_max": numbers[0]}


def test_a_value_that_several_items_have_stays_until_the_last_of_them_is_gone(valkey: ValkeyServer) -> None:
    spellings: list[Value] = [5, Decimal("5.0"), Decimal("5E+0")]
    with serving(valkey, by_platform=VALUES) as target:
        target.apply([put(FIRST, str(n), 1, amount=amount, email=amount) for n, amount in enumerate(spellings)])
        target.apply([put(FIRST, "other", 1, amount=7, email="5")])
        assert seen(target)["*"] == values("5.5", "5", "7", "2")
        target.apply([delete(FIRST, "0", 2), put(FIRST, "1", 2, amount=8, email=8)])
        assert seen(target)["*"] == values("6.66666666666667", "5", "8", "3")
        target.apply([delete(FIRST, "2", 2)])
        assert seen(target)["*"] == values("7.5", "7", "8", "2")
        target.apply([delete(FIRST, "1", 3), delete(FIRST, "other", 3)])
        assert not [key for key in valkey.client().scan_iter() if ":values:" in key or ":order:" in key]


def test_a_number_that_cannot_be_averaged_is_rejected_once_and_is_the_least_all_the_same(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform={**VALUES, "sum": {"amount": {"decimals": 2}}}) as target:
        bad = put(FIRST, "a", 1, platform="p", amount=Decimal("0.005"))
        [rejection] = target.apply([bad, put(FIRST, "b", 1, platform="p", amount=2)])
        assert (rejection.write, rejection.code) == (bad, "out_of_scale")
        assert rejection.message.count("amount is 0.005") == 1
        found, is_exact = seen(target)['"p"']
        assert (found["amount_avg"], found["amount_min"], is_exact) == ("2", "0.005", False)


def test_viewers_hear_the_values_that_a_reader_finds(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=VALUES) as target:
        writes = [
            put(FIRST, "a", 1, platform="p", amount=Decimal("0.1"), email="x"),
            put(FIRST, "b", 1, platform="p", amount=Decimal("-92233720368547758.08"), email="y"),
            put(FIRST, "a", 2, platform="p"),
            put(FIRST, "b", 2, platform="p"),
        ]
        for write in writes:
            [event] = hear(target, [METRIC], lambda write=write: target.apply([write]), 1)  # type: ignore[misc]
            (group, _), (total, _) = seen(target)['"p"'], seen(target)["*"]
            told = event.payload.decode()
            for name, texts in (("values", group), ("total", total)):
                members = ",".join(f'"{value}":{text}' for value, text in texts.items())
                assert f'"{name}":{{{members}}}' in told
            json.loads(told)


def test_published_values_say_nothing_with_an_empty_text_and_null(valkey: ValkeyServer) -> None:
    publish = {"key": "{platform}", "total_key": "ALL", "channel": "aggregates", "fields": {"email_distinct": "donors"}}
    with serving(valkey, by_platform={**VALUES, "publish": publish}) as target, listening(valkey) as subscriber:
        nothing = {"amount_avg": "", "amount_min": "", "amount_max": "", "donors": "0"}
        assert published(valkey) == {"ALL": nothing}
        target.apply([put(FIRST, "a", 1, platform="p", amount=Decimal("1.5"), email="x")])
        something = {"amount_avg": "1.5", "amount_min": "1.5", "amount_max": "1.5", "donors": "1"}
        assert published(valkey) == {"p": something, "ALL": something}
        names = ("amount_avg", "amount_min", "amount_max")
        assert subscriber.heard() == [
            said
            for key in ("p", "ALL")
            for said in [
                *[message(f"{key}:{name}", "1.5", "null") for name in names],
                message(f"{key}:donors", "1", "1"),
            ]
        ]
        target.apply([put(FIRST, "b", 1, platform="p", amount=3, email="x")])
        assert subscriber.heard() == [
            message(f"{key}:{name}", now, "null")
            for key in ("p", "ALL")
            for name, now in (("amount_avg", "2.25"), ("amount_max", "3"))
        ]
        target.apply([delete(FIRST, "a", 2), delete(FIRST, "b", 2)])
        assert published(valkey) == {"ALL": nothing}
        assert message("p:amount_max", "null", "null") in subscriber.heard()


def test_another_generation_announces_what_differs(valkey: ValkeyServer) -> None:
    publish = {"key": "{platform}", "total_key": "ALL", "channel": "aggregates"}
    config = {**VALUES, "publish": publish}
    with serving(valkey, by_platform=config) as target, listening(valkey) as subscriber:
        target.create(SECOND, collection(by_platform=config))
        target.apply([put(generation, "a", 1, platform="p", amount=1, email="x") for generation in (FIRST, SECOND)])
        target.apply(
            [put(FIRST, "b", 1, platform="old", amount=1), put(SECOND, "b", 1, platform="p", amount=3, email="y")]
        )
        subscriber.heard()
        target.serve(SECOND)
        assert sorted(subscriber.heard()) == sorted(
            [
                *[message(f"old:{name}", "null", "null") for name in ("amount_avg", "amount_min", "amount_max")],
                *[message(f"{key}:amount_avg", "2", "null") for key in ("p", "ALL")],
                *[message(f"{key}:amount_max", "3", "null") for key in ("p", "ALL")],
                *[message(f"{key}:email_distinct", "2", "1") for key in ("p", "ALL")],
            ]
        )


@pytest.mark.parametrize("then", [{"max": "amount"}, {"avg": {"amount": {}}}])
def test_a_field_that_means_something_else_now_is_told_anew(valkey: ValkeyServer, then: Mapping[str, object]) -> None:
    def named(**settings: object) -> Mapping[str, object]:
        [value] = settings
        publish = {"key": "all", "channel": "aggregates", "fields": {f"amount_{value}": "amount"}}
        return {**settings, "publish": publish}

    with serving(valkey, m=named(sum={"amount": {}})) as target, listening(valkey) as subscriber:
        target.create(SECOND, collection(m=named(**then)))
        target.apply([put(generation, name, 1, amount=4) for generation in (FIRST, SECOND) for name in "ab"])
        subscriber.heard()
        target.serve(SECOND)
        assert subscriber.heard() == [message("all:amount", "0", "-8"), message("all:amount", "4", "null")]


def test_the_oracle_agrees(valkey: ValkeyServer) -> None:
    metrics = {
        "by_platform": {**VALUES, "count": True, "sum": {"amount": {"decimals": 2}}},
        "per_hour": {**VALUES, "every": "1h", "time": "at", "keep": "1000d", "where": {"paid": True}},
    }
    config = collection(**{name: {**metric} for name, metric in metrics.items()})
    amounts: list[Value] = [Decimal("1.10"), Decimal("0.005"), -3, "12", None, Decimal("1e20"), 7]
    with serving(valkey, **metrics) as target:
        writes = [
            put(
                FIRST,
                str(n),
                1,
                platform="pq"[n % 2],
                amount=amounts[n % 7],
                email=n % 5,
                at=1_795_273_200 + n * 900,
                paid=n % 3 > 0,
            )
            for n in range(40)
        ]
        target.apply(writes)
        items = [write.document.typed() for write in writes if write.document]
        for name, metric in config.metrics.items():
            expected = expected_metric(items, metric, now=1_795_273_200.0)
            assert expected.inexact
            assert compare_metric(expected, from_snapshot(target.metric("donations", name), metric)) == []


@pytest.mark.parametrize("metric", [{"min": "n"}, {"max": "n"}, {"distinct": "n"}, {"avg": {"n": {}}}])
def test_each_value_may_stand_alone(valkey: ValkeyServer, metric: Mapping[str, object]) -> None:
    with serving(valkey, m=metric) as target:
        target.apply([put(FIRST, "a", 1, n=7), put(FIRST, "b", 1)])
        [group] = target.metric("donations", "m").groups
        [(name, text)] = group.values.items()
        assert text == ("1" if name == "n_distinct" else "7")
