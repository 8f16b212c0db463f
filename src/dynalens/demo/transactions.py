"""A bank's transactions: booked one after another, now and then corrected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from random import Random

from dynalens.demo.scenario import Item, Put, Step, Table

TABLE = Table("UsersTransactions", {"userId": "N", "transactionId": "N"}, view_type="NEW_IMAGE")
USERS = 40
FIRST = 800
"""Transactions that were booked before the demo starts."""

_SPENT = (
    ("Groceries, {shop}", 8, 120),
    ("Fuel, {station}", 35, 95),
    ("Coffee and croissants, {cafe}", 4, 15),
    ("Dinner, {cafe}", 22, 90),
    ("Train ticket to {place}", 12, 140),
    ("Flight to {place}, two bags", 90, 420),
    ("Hotel in {place}, two nights", 130, 380),
    ("Rent {month}, Lindenstraße 14", 620, 1450),
    ("Electricity, {month}", 38, 110),
    ("Mobile phone and internet, {month}", 20, 65),
    ("Music streaming, family plan", 13, 17),
    ("Pharmacy at the station", 5, 45),
    ("Book: {book}", 9, 38),
    ("Cash withdrawal, {place}", 20, 200),
    ("Transfer to savings", 50, 500),
    ("Gym membership, {month}", 25, 49),
    ("Concert, two tickets, {place}", 45, 160),
    ("Running shoes, return within 30 days", 70, 150),
    ("Donation, charity fundraiser", 5, 100),
)
_EARNED = (
    ("Salary {month}, {employer}", 1800, 4200),
    ("Refund: running shoes", 70, 150),
    ("From Ben, for concert tickets", 20, 60),
    ("Interest, third quarter", 1, 25),
)
"""What stands in a description, and between which amounts, in whole units."""

_WORDS = {
    "shop": ("Corner Market", "Mega Market", "Edeka Nord", "Carrefour City", "Mercado Central", "Żabka"),
    "station": ("Highway Station 7", "Autohof Süd", "Aire de Beaune"),
    "cafe": ("Café Zentral", "Trattoria Da Enzo", "La Petite Faim", "Sushi Ōta", "Smørrebrød & Co"),
    "place": ("Lisboa", "Graz", "København", "Kraków", "Αθήνα", "Zürich", "Main Square"),
    "month": ("September", "October", "November"),
    "book": ("Distributed systems in practice", "Der Zauberberg", "Le Petit Prince", "Cien años de soledad"),
    "employer": ("Northwind Logistics", "Bluebird Bakery", "City Library", "Harbour Shipyard"),
}


class Transactions:
    """The bank.

    Args:
        seed: Another one gives other transactions.
    """

    tables = (TABLE,)

    def __init__(self, seed: int = 1) -> None:
        self._chance = Random(f"{seed} transactions")  # noqa: S311 - made-up bookings, not secrets
        self._booked: Counter[int] = Counter()
        self._last: Item = {}

    def fill(self, now: datetime) -> Iterator[Put]:  # noqa: ARG002 - a transaction carries no time
        """Give the transactions of the last months."""
        for _ in range(FIRST):
            yield self._book()

    def step(self, now: datetime) -> Step:  # noqa: ARG002 - a transaction carries no time
        """Give the next transaction, or a correction of the last one."""
        correct = self._last and self._chance.random() < 0.06  # noqa: PLR2004 - one in sixteen
        return Step([self._correct() if correct else self._book()], self._chance.uniform(1.0, 2.0))

    def _book(self) -> Put:
        user = self._chance.randint(1, USERS)
        self._booked[user] += 1
        earned = self._chance.random() < 0.1  # noqa: PLR2004 - one in ten
        text, least, most = self._chance.choice(_EARNED if earned else _SPENT)
        amount = Decimal(self._chance.randrange(least * 100, most * 100)) / 100
        self._last = {
            "userId": user,
            "transactionId": self._booked[user],
            "accountId": user * 10 + (self._chance.random() < 0.15),  # noqa: PLR2004 - some have a second account
            "amount": amount if earned else -amount,
            "shortDescription": text.format_map({name: self._chance.choice(words) for name, words in _WORDS.items()}),
        }
        return Put(TABLE, self._last)

    def _correct(self) -> Put:
        corrected = self._last | {"shortDescription": f"Corrected: {self._last['shortDescription']}"}
        self._last = {}
        return Put(TABLE, corrected)
