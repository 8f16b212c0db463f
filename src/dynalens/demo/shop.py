"""A shop of five services, each with a table and item types of its own; orders move from new to paid and shipped."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from dynalens.demo.people import CITIES, address, person
from dynalens.demo.scenario import Item, Put, Step, Table, Write, moment

CUSTOMERS = Table("Customers", {"customerId": "S"})
CATALOGUE = Table("Catalogue", {"sku": "S"})
ORDERS = Table("Orders", {"orderId": "N", "line": "N"})
WAREHOUSE = Table("Warehouse", {"place": "S", "at": "N"})
SUPPORT = Table("Support", {"ticketId": "N"})

FIRST_CUSTOMERS, FIRST_PRODUCTS, FIRST_ORDERS, FIRST_TICKETS = 200, 180, 80, 150
"""What is there before the demo starts; each order has up to three lines, and each product a place on a shelf."""
_OPEN_ORDERS = 60
"""Orders beyond these are left as they are, so that not all of them end shipped."""

_GOODS = {
    "wool scarf": "24.90",
    "rain jacket": "89.00",
    "leather boots": "139.00",
    "linen shirt": "49.50",
    "felt hat": "35.00",
    "silk gloves": "28.40",
    "canvas bag": "19.90",
    "alpaca socks": "14.50",
    "denim jacket": "74.00",
}
_COLOURS = ("blue", "red", "green", "black", "crème", "indigo", "ochre")
_TAGS = ("new", "winter", "sale", "organic", "handmade")
_COMPLAINTS = ("arrived torn", "never came", "came too late", "came in the wrong size", "lost a button", "smells odd")
_NEXT = {"new": "paid", "paid": "shipped"}


class Shop:
    """The shop.

    Args:
        seed: Another one gives other goods, customers and orders.
    """

    tables = (CUSTOMERS, CATALOGUE, ORDERS, WAREHOUSE, SUPPORT)

    def __init__(self, seed: int = 1) -> None:
        self._chance = Random(f"{seed} shop")  # noqa: S311 - made-up goods, not secrets
        self._customers: list[Item] = []
        self._products: list[Item] = []
        self._stock: dict[str, Item] = {}
        self._open: deque[tuple[Item, Sequence[Item]]] = deque(maxlen=_OPEN_ORDERS)
        self._orders = 1000
        self._tickets = 0

    def fill(self, now: datetime) -> Iterator[Put]:
        """Give customers and goods, and orders and tickets of the last days."""
        # What moved on meanwhile is given once, as it came to be.
        yield from {(put.table.name, *put.key.values()): put for put in self._history(now)}.values()

    def step(self, now: datetime) -> Step:
        """Give one thing that happens in the shop, with all that it means to the services."""
        what = self._chance.random()
        writes: list[Write]
        if what < 0.06:  # noqa: PLR2004 - the shares of what happens
            writes = [self._customer()]
        elif what < 0.35:  # noqa: PLR2004 - the shares of what happens
            writes = [*self._order(now)]
        elif what < 0.8:  # noqa: PLR2004 - the shares of what happens
            writes = [*self._moved_on(now)]
        elif what < 0.9:  # noqa: PLR2004 - the shares of what happens
            writes = [self._ticket(now)]
        else:
            writes = [self._priced_anew()]
        return Step(writes, self._chance.uniform(2.0, 4.5))

    def _history(self, now: datetime) -> Iterator[Put]:
        for _ in range(FIRST_CUSTOMERS):
            yield self._customer()
        for number in range(FIRST_PRODUCTS):
            yield from self._product(number)
        for number in range(FIRST_ORDERS, 0, -1):
            at = now - timedelta(hours=number)
            yield from self._order(at)
            for _ in range(self._chance.randint(1, 3)):
                yield from self._moved_on(at)
        for number in range(FIRST_TICKETS, 0, -1):
            yield self._ticket(now - timedelta(hours=number))

    def _customer(self) -> Put:
        number = len(self._customers)
        city, who = self._chance.choice(CITIES), person(self._chance)
        customer: Item = {"customerId": f"c-{number:04}", "address": address(self._chance, city)}
        if number % 5 == 4:  # noqa: PLR2004 - every fifth is a company, as this service spells it
            contacts = [{"name": who.name, "email": who.email, "role": "buyer"}]
            customer |= {"TYPE": "COMPANY", "name": f"{city.name} Trading Company", "contacts": contacts}
        else:
            customer |= {"TYPE": "Customer", "name": who.name, "email": who.email}
        self._customers.append(customer)
        return Put(CUSTOMERS, customer)

    def _product(self, number: int) -> Iterator[Put]:
        kind, price = self._chance.choice(list(_GOODS.items()))
        product: Item = {
            "sku": f"SKU-{number:04}",
            "TYPE": "product",
            "title": f"{self._chance.choice(_COLOURS)} {kind}".capitalize(),
            "price": Decimal(price),
            "tags": self._chance.sample(_TAGS, 2),
            "packing": {"weight": {"value": self._chance.randrange(50, 2000), "unit": "g"}},
        }
        if number % 12 == 11:  # noqa: PLR2004 - now and then something that is not sold by the piece
            product |= {"TYPE": "GiftCard", "title": f"Gift card for a {kind}"}
        self._products.append(product)
        yield Put(CATALOGUE, product)
        place = f"{'ABC'[number % 3]}-{number:03}"
        stock = {"place": place, "at": 0, "TYPE": "STOCK", "sku": product["sku"], "quantity": 200}
        self._stock[product["sku"]] = stock
        yield Put(WAREHOUSE, stock)

    def _order(self, at: datetime) -> Iterator[Put]:
        self._orders += 1
        customer = self._chance.choice(self._customers)
        lines = [self._line(number) for number in range(1, self._chance.randint(2, 4))]
        order: Item = {
            "orderId": self._orders,
            "line": 0,
            "TYPE": "Order",
            "customerId": customer["customerId"],
            "shipTo": {"name": customer["name"], "city": customer["address"]["city"]},
            "state": "new",
            "total": sum(line["price"] * line["quantity"] for line in lines),
            "placedAt": moment(at),
        }
        self._open.append((order, lines))
        yield from (Put(ORDERS, item) for item in (order, *lines))

    def _line(self, number: int) -> Item:
        product = self._chance.choice(self._products)
        return {
            "orderId": self._orders,
            "line": number,
            "TYPE": "orderLine",
            "sku": product["sku"],
            "title": product["title"],
            "quantity": self._chance.randint(1, 3),
            "price": product["price"],
        }

    def _moved_on(self, at: datetime) -> Iterator[Put]:
        """Move an order to its next state; what is shipped leaves its shelf, and some of it comes back."""
        place = self._chance.randrange(len(self._open))
        order, lines = self._open[place]
        state = _NEXT.get(order["state"])
        if state is None:
            del self._open[place]
            if self._chance.random() < 0.3:  # noqa: PLR2004 - three in ten
                yield Put(ORDERS, order | {"state": "returned"})
                yield self._ticket(at, order["orderId"])
            return
        self._open[place] = (order | {"state": state}, lines)
        yield Put(ORDERS, self._open[place][0])
        if state == "shipped":
            yield from self._taken(lines[0], at)

    def _taken(self, line: Item, at: datetime) -> Iterator[Put]:
        stock = self._stock[line["sku"]]
        left = stock["quantity"] - line["quantity"]
        self._stock[line["sku"]] = stock | {"quantity": left if left > 0 else 200}
        yield Put(WAREHOUSE, self._stock[line["sku"]])
        movement = {
            "place": stock["place"],
            "at": int(at.timestamp() * 1000),
            "TYPE": "Movement",
            "sku": line["sku"],
            "delta": self._stock[line["sku"]]["quantity"] - stock["quantity"],
            "orderId": line["orderId"],
        }
        yield Put(WAREHOUSE, movement)

    def _ticket(self, at: datetime, order: int | None = None) -> Put:
        self._tickets += 1
        subject = f"My {self._chance.choice(list(_GOODS))} {self._chance.choice(_COMPLAINTS)}"
        ticket: Item = {
            "ticketId": self._tickets,
            "TYPE": "ticket",
            "subject": subject,
            "from": {"name": self._chance.choice(self._customers)["name"]},
            "openedAt": moment(at),
            "state": self._chance.choice(("open", "open", "answered")),
        }
        if order is not None:
            ticket["orderId"] = order
        elif self._tickets % 9 == 0:
            ticket = {"ticketId": self._tickets, "TYPE": "Survey", "stars": self._chance.randint(2, 5)}
        return Put(SUPPORT, ticket)

    def _priced_anew(self) -> Put:
        place = self._chance.randrange(len(self._products))
        product = self._products[place]
        price = (product["price"] * self._chance.choice((Decimal("0.9"), Decimal("1.05")))).quantize(Decimal("0.10"))
        self._products[place] = product | {"price": max(price, Decimal("5.00"))}
        return Put(CATALOGUE, self._products[place])
