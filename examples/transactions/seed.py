"""Create the table of bank transactions and put some into it; or put or delete a single one.

python seed.py --endpoint-url http://127.0.0.1:8000
python seed.py --endpoint-url http://127.0.0.1:8000 --put '{"userId": 3, "transactionId": 51, "amount": 11}'
python seed.py --endpoint-url http://127.0.0.1:8000 --delete '{"userId": 3, "transactionId": 51}'

Doing the same again changes nothing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import boto3
from botocore.exceptions import ClientError

TABLE = "UsersTransactions"
REGION = "eu-west-1"

Transaction = dict[str, Any]

BOOKED = (
    (1, 1, "-42.80", "Groceries, Corner Market"),
    (1, 1, "-950.00", "Rent November, Lindenstrasse 14"),
    (2, 2, "2750.00", "Salary October, Northwind Logistics"),
    (3, 3, "-12.99", "Music streaming, family plan"),
    (4, 4, "-63.20", "Fuel, Highway Station 7"),
    (5, 5, "-8.40", "Coffee and croissants, Café Zentral"),
    (2, 2, "-119.00", "Running shoes, return within 30 days"),
    (3, 33, "-200.00", "Transfer to savings"),
    (1, 1, "-27.50", "Pharmacy at the station"),
    (4, 4, "1830.45", "Salary October, Bluebird Bakery"),
    (5, 55, "-349.00", "Flight to Lisbon, two bags"),
    (2, 2, "-74.10", "Electricity, final bill of the old flat"),
    (3, 3, "-19.90", "Book: Distributed systems in practice"),
    (1, 11, "-15.00", "Gift for the team, Mega Toys"),
    (4, 4, "-5.60", "Parking, city centre"),
    (5, 5, "-89.00", "Annual pass, swimming pool"),
    (2, 2, "-33.33", "Dinner with Ana, last Friday"),
    (3, 3, "119.00", "Refund: running shoes"),
    (1, 1, "-61.70", "Mobile phone and internet"),
    (4, 44, "-1200.00", "Deposit for the new flat"),
    (5, 5, "-47.25", "Hardware store: paint, brushes, tape"),
    (2, 22, "-500.00", "Transfer to savings"),
    (3, 3, "-9.99", "Cloud storage, monthly"),
    (1, 1, "-18.60", "Cinema, two tickets"),
    (4, 4, "-72.00", "Dentist, check-up"),
    (5, 5, "3100.00", "Salary October, Harbour Shipyard"),
    (2, 2, "-24.00", "Train ticket to Graz"),
    (3, 3, "-135.80", "Car insurance, quarter"),
    (1, 1, "-7.30", "Bakery, Sunday rolls"),
    (4, 4, "-55.00", "Driving test, theory"),
    (5, 5, "-14.20", "Florist at the corner"),
    (2, 2, "-410.00", "Washing machine, second instalment"),
    (3, 3, "-28.75", "Pizza for six"),
    (1, 11, "25.00", "From Ben, for concert tickets"),
    (4, 4, "-96.40", "Groceries, Mega Market"),
    (5, 55, "-230.00", "Hotel in Lisbon, two nights"),
    (2, 2, "-11.50", "Taxi from the airport"),
    (3, 3, "-66.00", "Veterinarian, vaccination"),
    (1, 1, "2490.00", "Salary October, City Library"),
    (4, 4, "-39.95", "Winter tyres, storage"),
    (5, 5, "-3.80", "Newspaper and chewing gum"),
    (2, 2, "-150.00", "Cash withdrawal, Main Square"),
    (3, 33, "4.17", "Interest, third quarter"),
    (1, 1, "-82.00", "Spanish course, final exam fee"),
    (4, 4, "-29.00", "Gym membership, monthly"),
    (5, 5, "-17.45", "Garden centre: tulip bulbs"),
    (2, 2, "-45.00", "Donation to the animal shelter"),
    (3, 3, "-58.30", "Groceries, Corner Market"),
    (1, 1, "-21.90", "Haircut"),
    (4, 44, "-300.00", "Transfer to savings"),
)
"""User, account, amount and description of each transaction, in the order in which they were booked."""


def transactions() -> Iterator[Transaction]:
    """Give the transactions, numbered from 1."""
    for number, (user, account, amount, description) in enumerate(BOOKED, start=1):
        yield {
            "userId": user,
            "transactionId": number,
            "accountId": account,
            "amount": Decimal(amount),
            "shortDescription": description,
        }


def connect(endpoint_url: str) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Connect to an emulator, which takes any credentials; Dynalens uses the same where there are none."""
    session = boto3.Session(region_name=REGION)
    if session.get_credentials() is None:
        session = boto3.Session("local", "local", region_name=REGION)
    return session.resource("dynamodb", endpoint_url=endpoint_url)


def create_table(dynamodb: Any) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Create the table, with a stream that carries new images alone, unless it is there, and give it."""
    try:
        dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": "userId", "KeyType": "HASH"},
                {"AttributeName": "transactionId", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "userId", "AttributeType": "N"},
                {"AttributeName": "transactionId", "AttributeType": "N"},
            ],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUseException":
            raise
    table = dynamodb.Table(TABLE)
    table.wait_until_exists()
    return table


def fill(table: Any) -> int:  # noqa: ANN401 - boto3 makes its classes at run time
    """Put the transactions into the table; give how many."""
    with table.batch_writer() as writer:
        for transaction in transactions():
            writer.put_item(Item=transaction)
    return len(BOOKED)


def _item(text: str) -> Transaction:
    """Read an item as plain JSON, every digit kept: boto3 takes no floats."""
    item: Transaction = json.loads(text, parse_float=Decimal)
    return item


def main() -> None:
    """Seed, or put or delete one transaction."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint-url", required=True, help="the emulator; never AWS itself by accident")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--put", type=_item, metavar="JSON", help="put this transaction, new or changed")
    one.add_argument("--delete", type=_item, metavar="JSON", help="delete the transaction with this key")
    options = parser.parse_args()

    table = create_table(connect(options.endpoint_url))
    if options.put:
        table.put_item(Item=options.put)
        print("The transaction was put.")
    elif options.delete:
        table.delete_item(Key=options.delete)
        print("The transaction was deleted.")
    else:
        print(f"{fill(table)} transactions are in the table {TABLE}.")


if __name__ == "__main__":
    main()
