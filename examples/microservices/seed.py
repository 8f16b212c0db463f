"""Create the five tables of the shop and fill them, with the same items for the same --seed.

    python seed.py --endpoint-url http://127.0.0.1:8000 --items 200

Each service spells its types as it likes, and two of them write items without a proper one.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import boto3
from botocore.exceptions import ClientError

REGION = "eu-west-1"
PEOPLE = (
    "Ada Lovelace",
    "Alan Turing",
    "Dorothy Vaughan",
    "Grace Hopper",
    "Hedy Lamarr",
    "José Ibarra",
    "Ольга Ладыженская",
    "小野 美咲",
)
CITIES = {"Paris": "FR", "København": "DK", "Dublin": "IE", "Αθήνα": "GR", "Osaka": "JP", "Zürich": "CH"}
"""Where customers live, and in which country."""

GOODS = ("wool scarf", "rain jacket", "leather boots", "linen shirt", "felt hat", "silk gloves")
COLOURS = ("blue", "red", "green", "black", "crème")
COMPLAINTS = ("arrived torn", "never came", "came too late", "came in the wrong size")
FIRST_SECOND = 1_565_162_816

Item = dict[str, Any]
Make = Callable[[random.Random, int], Item]
"""Makes the item of this number, with what chance gives."""


def customer(chance: random.Random, number: int) -> Item:
    """Make a customer, or every fifth time a company."""
    city = chance.choice(list(CITIES))
    address = {"street": f"{chance.randrange(1, 200)} Market Street", "city": city, "country": CITIES[city]}
    common = {"customerId": f"c-{number:04}", "address": address}
    person = chance.choice(PEOPLE)
    if number % 5 == 4:  # noqa: PLR2004 - one in five
        contacts = [{"name": person, "role": "buyer"}]
        return common | {"TYPE": "COMPANY", "name": f"{city} Trading Company", "contacts": contacts}
    return common | {"TYPE": "Customer", "name": person, "email": f"customer{number}@test.com"}


def article(chance: random.Random, number: int) -> Item:
    """Make a product; now and then a gift card, or what an import left without a type of its own."""
    title = f"{chance.choice(COLOURS)} {chance.choice(GOODS)}".capitalize()
    common: Item = {"sku": f"SKU-{number:04}", "title": title, "price": Decimal(chance.randrange(500, 20_000)) / 100}
    match number % 10:
        case 7:
            return common | {"TYPE": "GiftCard", "title": f"Gift card for a {chance.choice(GOODS)}"}
        case 8:
            return common
        case 9:
            return common | {"TYPE": 7}
    weight = {"value": chance.randrange(50, 2000), "unit": "g"}
    return common | {"TYPE": "product", "packing": {"weight": weight, "fragile": False}, "tags": {"new", "winter"}}


def order(chance: random.Random, number: int) -> Item:
    """Make an order, or one of the three lines that follow it."""
    order_id, line = 1000 + number // 4, number % 4
    key: Item = {"orderId": order_id, "line": line}
    if line == 0:
        ship_to = {"name": chance.choice(PEOPLE), "city": chance.choice(list(CITIES))}
        return key | {"TYPE": "Order", "customerId": f"c-{chance.randrange(50):04}", "shipTo": ship_to}
    price = Decimal(chance.randrange(500, 20_000)) / 100
    return key | {
        "TYPE": "orderLine",
        "sku": f"SKU-{chance.randrange(50):04}",
        "quantity": chance.randrange(1, 4),
        "price": price,
    }


def shelf(chance: random.Random, number: int) -> Item:
    """Make what lies in a place of the warehouse, or a movement that changed it."""
    place = f"{'ABC'[number // 2 % 3]}-{number // 2:03}"
    sku = f"SKU-{chance.randrange(50):04}"
    if number % 2 == 0:
        return {"place": place, "at": 0, "TYPE": "STOCK", "sku": sku, "quantity": chance.randrange(100)}
    moved = {"by": {"name": chance.choice(PEOPLE)}, "delta": chance.randrange(-5, 6)}
    return {"place": place, "at": FIRST_SECOND + number, "TYPE": "Movement", "sku": sku, "moved": moved}


def request(chance: random.Random, number: int) -> Item:
    """Make a ticket of the support; now and then a note without a type, or an answer to a survey."""
    match number % 6:
        case 4:
            return {"ticketId": number, "note": f"Call {chance.choice(PEOPLE)} back"}
        case 5:
            return {"ticketId": number, "TYPE": "Survey", "stars": chance.randrange(1, 6)}
    subject = f"My {chance.choice(GOODS)} {chance.choice(COMPLAINTS)}"
    return {"ticketId": number, "TYPE": "ticket", "subject": subject, "from": {"name": chance.choice(PEOPLE)}}


@dataclass(frozen=True)
class Service:
    """One service: its table, the table's key with the types of its attributes, and what it writes."""

    table: str
    key: Mapping[str, str]
    make: Make


SERVICES: Sequence[Service] = (
    Service("Customers", {"customerId": "S"}, customer),
    Service("Catalogue", {"sku": "S"}, article),
    Service("Orders", {"orderId": "N", "line": "N"}, order),
    Service("Warehouse", {"place": "S", "at": "N"}, shelf),
    Service("Support", {"ticketId": "N"}, request),
)


def items(service: Service, number: int, seed: int = 1) -> Iterator[Item]:
    """Make the first `number` items of a service."""
    chance = random.Random(f"{seed} {service.table}")  # noqa: S311 - made-up goods, not secrets
    return (service.make(chance, each) for each in range(number))


def connect(endpoint_url: str) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Connect to an emulator, which takes any credentials; Dynalens uses the same where there are none."""
    session = boto3.Session(region_name=REGION)
    if session.get_credentials() is None:
        session = boto3.Session("local", "local", region_name=REGION)
    return session.resource("dynamodb", endpoint_url=endpoint_url)


def create_table(dynamodb: Any, service: Service) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Create a service's table with the stream that Dynalens reads, unless it is there, and give it."""
    kinds = ("HASH", "RANGE")
    try:
        dynamodb.create_table(
            TableName=service.table,
            KeySchema=[
                {"AttributeName": name, "KeyType": kind} for name, kind in zip(service.key, kinds, strict=False)
            ],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": attribute} for name, attribute in service.key.items()
            ],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUseException":
            raise
    table = dynamodb.Table(service.table)
    table.wait_until_exists()
    return table


def fill(table: Any, made: Iterator[Item]) -> int:  # noqa: ANN401 - boto3 makes its classes at run time
    """Put items into a table, 25 in a request; give how many."""
    put = 0
    with table.batch_writer() as writer:
        for item in made:
            writer.put_item(Item=item)
            put += 1
    return put


def main() -> None:
    """Create and fill the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint-url", required=True, help="the emulator; never AWS itself by accident")
    parser.add_argument("--items", type=int, default=200, metavar="N", help="how many in each table (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="another number gives other items (default: 1)")
    options = parser.parse_args()

    dynamodb = connect(options.endpoint_url)
    for service in SERVICES:
        put = fill(create_table(dynamodb, service), items(service, options.items, options.seed))
        print(f"{put:,} items are in the table {service.table}.", flush=True)


if __name__ == "__main__":
    main()
