from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

import pytest

from dynalens.demo.crm import Crm
from dynalens.demo.donations import MINUTES, Donations
from dynalens.demo.images import Images
from dynalens.demo.scenario import DEFAULT_RATE, Delete, Put, Scenario, Step, moment
from dynalens.demo.shop import ORDERS, Shop
from dynalens.demo.transactions import Transactions

NOW = datetime(2026, 11, 21, 19, 30, tzinfo=UTC)
HOUR = 3600.0

Make = Callable[[int], Scenario]
SCENARIOS: list[Make] = [Donations, Transactions, Images, Crm, Shop]

every_scenario = pytest.mark.parametrize("make", SCENARIOS, ids=lambda make: make.__name__.lower())

Key = tuple[object, ...]


def steps(scenario: Scenario, seconds: float = HOUR) -> Iterator[Step]:
    """What happens in so many seconds after `NOW`."""
    passed = 0.0
    while passed < seconds:
        step = scenario.step(NOW + timedelta(seconds=passed))
        yield step
        passed += step.seconds


def key(write: Put | Delete) -> Key:
    return (write.table.name, *write.key.values())


def tables_after(scenario: Scenario, seconds: float = HOUR) -> dict[Key, Mapping[str, Any]]:
    """Every item by its key, once the tables were filled and have moved."""
    items: dict[Key, Mapping[str, Any]] = {key(put): put.item for put in scenario.fill(NOW)}
    for step in steps(scenario, seconds):
        for write in step.writes:
            if isinstance(write, Put):
                items[key(write)] = write.item
            else:
                del items[key(write)]
    return items


@every_scenario
def test_the_same_seed_and_times_give_the_same_data(make: Make) -> None:
    one, same, other = make(7), make(7), make(8)
    filled = list(one.fill(NOW))
    assert filled == list(same.fill(NOW))
    assert filled != list(other.fill(NOW))
    assert list(steps(one)) == list(steps(same))


@every_scenario
def test_an_item_is_filled_once_and_written_once_in_a_step(make: Make) -> None:
    """As BatchWriteItem wants it."""
    scenario = make(1)
    assert max(Counter(map(key, scenario.fill(NOW))).values()) == 1
    assert {max(Counter(map(key, step.writes)).values()) for step in steps(scenario) if step.writes} == {1}


@every_scenario
def test_items_have_the_key_of_their_table(make: Make) -> None:
    scenario = make(1)
    kinds = {"S": str, "N": int}
    for put in scenario.fill(NOW):
        assert put.table in scenario.tables
        assert {name: type(put.item[name]) for name in put.table.key} == {
            name: kinds[kind] for name, kind in put.table.key.items()
        }


@every_scenario
def test_it_moves_and_rests_a_while_after_each_step(make: Make) -> None:
    scenario = make(1)
    list(scenario.fill(NOW))
    assert all(0 < step.seconds <= 12 for step in islice(steps(scenario), 500))


@every_scenario
def test_every_table_moves(make: Make) -> None:
    scenario = make(1)
    list(scenario.fill(NOW))
    written = {write.table.name for step in steps(scenario, 300) for write in step.writes}
    assert written == {table.name for table in scenario.tables}


def test_all_of_them_together_move_at_about_the_default_rate() -> None:
    changes = 0
    for make in SCENARIOS:
        scenario = make(1)
        list(scenario.fill(NOW))
        changes += sum(len(step.writes) for step in steps(scenario))
    assert changes / HOUR == pytest.approx(DEFAULT_RATE, rel=0.25)


def test_donations_cover_the_event_in_the_order_in_which_they_were_made() -> None:
    times = [put.item["donatedAt"] for put in Donations().fill(NOW)]
    assert times == sorted(times)
    assert times[0] >= moment(NOW - timedelta(minutes=MINUTES))
    assert moment(NOW - timedelta(minutes=1)) <= times[-1] <= moment(NOW)


def test_a_donation_has_the_shape_of_the_fundraiser() -> None:
    for put in Donations().fill(NOW):
        donation = put.item
        assert {"email", "donatedAt", "platform", "amount", "name"} <= donation.keys()
        assert donation["email"].isascii()
        assert donation["amount"] > 0
        assert donation["amount"].as_tuple().exponent >= -2


def test_donations_come_in_bursts_and_at_times_one_by_one() -> None:
    donations = Donations()
    pauses = [step.seconds for step in steps(donations, 600)]
    quick = [pause <= 0.3 for pause in pauses]
    runs = "".join("q" if each else "." for each in quick).split(".")
    assert max(map(len, runs)) >= 10
    assert quick.count(False) > 100


def test_donations_are_corrected_and_taken_back() -> None:
    donations = Donations()
    filled = {key(put) for put in donations.fill(NOW)}
    given, corrected, taken_back = set(filled), 0, 0
    for step in steps(donations):
        for write in step.writes:
            corrected += isinstance(write, Put) and key(write) in given
            taken_back += isinstance(write, Delete)
            assert isinstance(write, Put) or key(write) in given
            given.add(key(write))
    assert corrected > 20
    assert taken_back > 20


def test_transactions_are_numbered_for_each_user() -> None:
    numbers: dict[int, list[int]] = {}
    for put in Transactions().fill(NOW):
        numbers.setdefault(put.item["userId"], []).append(put.item["transactionId"])
    assert all(each == list(range(1, len(each) + 1)) for each in numbers.values())


def test_image_titles_differ_and_name_no_address_outside() -> None:
    images = tables_after(Images(), 2 * HOUR).values()
    assert len({image["title"] for image in images}) == len(images)
    assert all(image["imageUrl"].startswith("/images/") for image in images)


def test_customers_have_places_and_events_have_users() -> None:
    items = tables_after(Crm())
    users = {item["pk"]: item for item in items.values() if item["TYPE"] == "user"}
    events = [item for item in items.values() if item["TYPE"] == "event"]
    assert {item["userId"] for item in events} <= users.keys()
    assert all(-90 <= user["address"]["lat"] <= 90 and -180 <= user["address"]["lon"] <= 180 for user in users.values())
    assert {event["event"] for event in events} == {"click", "purchase"}
    assert all(event["revenue"] > 0 for event in events if event["event"] == "purchase")


def test_an_order_moves_from_one_state_to_the_next() -> None:
    shop = Shop()
    states: dict[int, list[str]] = {}
    for write in (write for step in [*[Step(list(shop.fill(NOW)), 0)], *steps(shop)] for write in step.writes):
        if isinstance(write, Put) and write.table == ORDERS and write.item["line"] == 0:
            states.setdefault(write.item["orderId"], []).append(write.item["state"])
    course = ["new", "paid", "shipped", "returned"]
    assert {state for seen in states.values() for state in seen} == set(course)
    for seen in states.values():
        first = course.index(seen[0])
        assert seen == course[first : first + len(seen)]


def test_an_order_costs_what_its_lines_cost() -> None:
    orders: dict[int, Decimal] = {}
    lines: Counter[int] = Counter()
    for (table, *_), item in tables_after(Shop()).items():
        if table == ORDERS.name and item["line"] == 0:
            orders[item["orderId"]] = item["total"]
        elif table == ORDERS.name:
            lines[item["orderId"]] += item["price"] * item["quantity"]
    assert orders == lines
