"""A product's customer master in one table: its users, where they are, and what they do (`TYPE` user or event)."""

# ruff: noqa: RUF001 - companies in many scripts are what this is about

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from dynalens.demo.people import CITIES, address, person
from dynalens.demo.scenario import Item, Put, Step, Table, moment

TABLE = Table("CrmMaster", {"pk": "S"})
FIRST_USERS, FIRST_EVENTS = 250, 600
"""Users and events that are there before the demo starts."""

_PLANS = {"free": 6, "team": 3, "business": 1}
_PRICES = {"team": Decimal("29.00"), "business": Decimal("149.00")}
_COMPANIES = (
    "Northwind Logistics",
    "Bluebird Bakery",
    "Atelier Rivière",
    "Sägewerk Huber",
    "Studio Conti",
    "Nordlys Data",
    "Kowalski i Syn",
    "Yıldız Tekstil",
    "Puerto Verde",
    "小野製作所",
)
_PAGES = ("/pricing", "/docs", "/docs/search", "/blog/live-metrics", "/signup", "/settings", "/dashboards")
_PURCHASED = {"seat": Decimal("12.00"), "storage": Decimal("8.50"), "training": Decimal("240.00")}


class Crm:
    """The customer master.

    Args:
        seed: Another one gives other users and events.
    """

    tables = (TABLE,)

    def __init__(self, seed: int = 1) -> None:
        self._chance = Random(f"{seed} crm")  # noqa: S311 - made-up users, not secrets
        self._users: list[Item] = []
        self._events = 0

    def fill(self, now: datetime) -> Iterator[Put]:
        """Give the users who signed up in the last two years, and the events of the last day."""
        for _ in range(FIRST_USERS):
            yield self._sign_up(now - timedelta(days=self._chance.uniform(1, 730)))
        for number in range(FIRST_EVENTS, 0, -1):
            yield self._event(now - timedelta(days=number / FIRST_EVENTS))

    def step(self, now: datetime) -> Step:
        """Give what a user does: mostly an event, at times another plan, or a first visit."""
        what = self._chance.random()
        if what < 0.08:  # noqa: PLR2004 - the shares of what happens
            write = self._sign_up(now)
        elif what < 0.2:  # noqa: PLR2004 - the shares of what happens
            write = self._change_plan()
        else:
            write = self._event(now)
        return Step([write], self._chance.uniform(1.5, 3.5))

    def _sign_up(self, at: datetime) -> Put:
        chance, who = self._chance, person(self._chance)
        city = chance.choice(CITIES)
        user: Item = {
            "pk": f"user-{len(self._users) + 1:05}",
            "TYPE": "user",
            "name": who.name,
            "email": who.email,
            "phone": f"+{city.prefix} 555 {chance.randrange(10_000):04}",
            "company": chance.choice(_COMPANIES),
            "address": address(chance, city),
            "plan": chance.choices(list(_PLANS), list(_PLANS.values()))[0],
            "signedUpAt": moment(at),
        }
        self._users.append(user)
        return Put(TABLE, user)

    def _change_plan(self) -> Put:
        place = self._chance.randrange(len(self._users))
        user = self._users[place]
        other = [plan for plan in _PLANS if plan != user["plan"]]
        self._users[place] = user | {"plan": self._chance.choice(other)}
        return Put(TABLE, self._users[place])

    def _event(self, at: datetime) -> Put:
        self._events += 1
        user = self._chance.choice(self._users)
        event: Item = {
            "pk": f"event-{self._events:06}",
            "TYPE": "event",
            "userId": user["pk"],
            "country": user["address"]["country"],
            "at": moment(at),
        }
        if self._chance.random() < 0.15:  # noqa: PLR2004 - one in seven buys
            event |= {"event": "purchase"} | self._purchase(user)
        else:
            event |= {"event": "click", "page": self._chance.choice(_PAGES)}
        return Put(TABLE, event)

    def _purchase(self, user: Item) -> Item:
        if user["plan"] in _PRICES and self._chance.random() < 0.5:  # noqa: PLR2004 - one in two
            return {"product": f"{user['plan']} plan, one month", "revenue": _PRICES[user["plan"]]}
        product, price = self._chance.choice(list(_PURCHASED.items()))
        quantity = self._chance.randint(1, 5)
        return {"product": product, "quantity": quantity, "revenue": price * quantity}
