"""Create the table of the fundraiser and put donations into it, the same ones for the same --seed.

    python seed.py --endpoint-url http://127.0.0.1:8000 --donations 10000
    python seed.py --endpoint-url http://127.0.0.1:8000 --donations 0 --follow

With --follow donors keep coming, and some correct or take back what they gave.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count, islice
from typing import Any

import boto3
from botocore.exceptions import ClientError

TABLE = "Donations"
REGION = "eu-west-1"
PLATFORMS = {"Facebook": 5, "Phone": 3, "Website": 4, "Text message": 2, "Shop": 1}
"""Where donations come from, and how often."""

NAMES = (
    "ada",
    "alan",
    "barbara",
    "emmy",
    "dorothy",
    "edsger",
    "grace",
    "hedy",
    "john",
    "katherine",
    "margaret",
    "tim",
)
FIRST_AT = datetime(2019, 8, 7, 7, 0, tzinfo=UTC)
SECONDS_APART = 10

Donation = dict[str, Any]


def donations(seed: int = 1) -> Iterator[Donation]:
    """Make donations without end: `{"email", "donatedAt", "platform", "amount"}`."""
    chance = random.Random(seed)  # noqa: S311 - made-up donors, not secrets
    for number in count():
        donated_at = FIRST_AT + timedelta(seconds=number * SECONDS_APART)
        yield {
            "email": f"{chance.choice(NAMES)}{chance.randrange(10_000)}@test.com",
            "donatedAt": donated_at.strftime("%Y-%m-%dT%H:%M:%S"),
            "platform": chance.choices(list(PLATFORMS), list(PLATFORMS.values()))[0],
            "amount": Decimal(chance.choice((500, 1000, 1000, 2000, 2500, 5000, chance.randrange(100, 20_000)))) / 100,
        }


def connect(endpoint_url: str) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Connect to an emulator, which takes any credentials; Dynalens uses the same where there are none."""
    session = boto3.Session(region_name=REGION)
    if session.get_credentials() is None:
        session = boto3.Session("local", "local", region_name=REGION)
    return session.resource("dynamodb", endpoint_url=endpoint_url)


def create_table(dynamodb: Any) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Create the table with the stream that Dynalens reads, unless it is there, and give it."""
    try:
        dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": "email", "KeyType": "HASH"},
                {"AttributeName": "donatedAt", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "email", "AttributeType": "S"},
                {"AttributeName": "donatedAt", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUseException":
            raise
    table = dynamodb.Table(TABLE)
    table.wait_until_exists()
    return table


def fill(table: Any, given: Iterator[Donation]) -> int:  # noqa: ANN401 - boto3 makes its classes at run time
    """Put donations into the table, 25 in a request; give how many."""
    put = 0
    with table.batch_writer() as writer:
        for donation in given:
            writer.put_item(Item=donation)
            put += 1
    return put


def follow(
    table: Any,  # noqa: ANN401 - boto3 makes its classes at run time
    given: Iterator[Donation],
    seed: int = 1,
) -> Iterator[tuple[Donation, str]]:
    """Make one more change each time it is asked: mostly a donation, now and then a correction or one taken back.

    Yields the donation, and in words what happened to it.
    """
    chance = random.Random(seed)  # noqa: S311 - made-up donors, not secrets
    recent: list[Donation] = []
    for donation in given:
        table.put_item(Item=donation)
        recent.append(donation)
        yield donation, f"{donation['email']} gave {donation['amount']} by {donation['platform']}"
        if chance.random() < 0.1:  # noqa: PLR2004 - one in ten
            corrected = chance.choice(recent)
            corrected["amount"] += 1
            table.put_item(Item=corrected)
            yield corrected, f"{corrected['email']} made it {corrected['amount']}"
        if chance.random() < 0.05:  # noqa: PLR2004 - one in twenty
            gone = recent.pop(chance.randrange(len(recent)))
            table.delete_item(Key={"email": gone["email"], "donatedAt": gone["donatedAt"]})
            yield gone, f"{gone['email']} took {gone['amount']} back"
        del recent[:-100]


def main() -> None:
    """Seed, and keep donating if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint-url", required=True, help="the emulator; never AWS itself by accident")
    parser.add_argument("--donations", type=int, default=1000, metavar="N", help="how many (default: 1000)")
    parser.add_argument("--seed", type=int, default=1, help="another number gives other donations (default: 1)")
    parser.add_argument("--follow", action="store_true", help="go on after that, until Ctrl-C")
    parser.add_argument("--rate", type=float, default=5.0, help="changes a second while following (default: 5)")
    options = parser.parse_args()

    table = create_table(connect(options.endpoint_url))
    given = donations(options.seed)
    print(f"{fill(table, islice(given, options.donations)):,} donations are in the table {TABLE}.", flush=True)
    if options.follow:
        for _, said in follow(table, given, options.seed):
            print(said, flush=True)
            time.sleep(1 / options.rate)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("Enough.")
