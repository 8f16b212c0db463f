"""Decoding a page of GetRecords, against stock boto3 and against the bare JSON parser.

Records as a table of donations gives them: ten attributes, 0.75 KB each image. `orjson alone` parses the page and uses
nothing of it: no decoder that looks at Python objects can be faster. `stock boto3` does what a consumer written with it
does: botocore's own parser, then `TypeDeserializer` on each image. What boto3 cannot read (numbers of 38 digits) is not
in the page.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import orjson
from boto3.dynamodb.types import TypeDeserializer
from botocore.parsers import create_parser
from botocore.session import get_session

from bench.measure import Contender, interleaved, rate, table
from dynalens.change import KeySchema, decode_records

RECORDS = 600
"""About one megabyte, the most that one GetRecords call returns."""

KEYS = KeySchema(("email", "donatedAt"))
CITIES = ("Genève", "Lyon", "Berlin", "Wrocław", "Kraków")
PLATFORMS = ("Facebook", "Phone", "Web", "Twitter")
WORDS = ("thank", "you", "for", "the", "naïve", "charity", '"run"', "and", "help")


def item(number: int, amount: str) -> dict[str, Any]:
    """Make one donation in DynamoDB JSON."""
    return {
        "email": {"S": f"donor{number:05d}@example.org"},
        "donatedAt": {"S": f"2026-03-{1 + number % 28:02d}T07:{number % 60:02d}:56"},
        "platform": {"S": PLATFORMS[number % len(PLATFORMS)]},
        "amount": {"N": amount},
        "currency": {"S": "EUR"},
        "recurring": {"BOOL": number % 3 == 0},
        "campaign": {"N": str(number % 400)},
        "address": {
            "M": {
                "city": {"S": CITIES[number % len(CITIES)]},
                "zip": {"S": f"{10_000 + number}"},
                "lat": {"N": f"46.{204_391 + number}"},
                "lon": {"N": f"6.{143_158 + number}"},
            }
        },
        "tags": {"SS": [f"tag{number % 50}", f"tag{50 + number % 50}"]},
        "note": {"S": " ".join(WORDS[(number + place) % len(WORDS)] for place in range(68))},
    }


def record(number: int) -> dict[str, Any]:
    """Make one record of a modified item."""
    new = item(number, f"{1 + number % 500}.25")
    return {
        "eventID": f"{number:032x}",
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_795_255_080 + number,
            "Keys": {name: new[name] for name in KEYS.names},
            "NewImage": new,
            "OldImage": item(number, "12.5"),
            "SequenceNumber": f"{10**20 + number}",
            "SizeBytes": 1400,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def stock_boto3() -> Callable[[bytes], object]:
    """Build what boto3 does to an answer, and what its users do to the images."""
    model = get_session().get_service_model("dynamodbstreams")
    parser, shape = create_parser(model.protocol), model.operation_model("GetRecords").output_shape
    assert shape
    deserialize = TypeDeserializer().deserialize

    def read(body: bytes) -> object:
        answer = parser.parse({"body": body, "headers": {}, "status_code": 200}, shape)
        return [
            {name: deserialize(typed) for name, typed in each["dynamodb"][image].items()}
            for each in answer["Records"]
            for image in ("NewImage", "OldImage")
        ]

    return read


def decode(body: bytes) -> object:
    """Decode as the pipeline does."""
    return decode_records(body, table="Donations", keys=KEYS)


def decode_and_render_old(body: bytes) -> object:
    """Decode, and use the old images too, as a table with a `where` does."""
    page = decode_records(body, table="Donations", keys=KEYS)
    return page, [change.old.json for change in page.changes if change.old]


def parse_and_let_go(body: bytes) -> object:
    """Parse only. The tree is freed inside the run, as it is inside the other contenders."""
    return len(orjson.loads(body))


def reading(read: Callable[[bytes], object], body: bytes) -> Callable[[], float]:
    """Make a run that reads the page."""
    return rate(lambda: read(body), RECORDS, clock=time.process_time)


def run() -> str:
    """Measure, and give the tables as markdown."""
    body = orjson.dumps({"Records": [record(number) for number in range(RECORDS)], "NextShardIterator": "x" * 200})
    image = len(orjson.dumps(item(1, "12.5")))
    boto3 = stock_boto3()
    readers = {
        "stock boto3": boto3,
        "dynalens": decode,
        "dynalens, old images used": decode_and_render_old,
        "orjson alone": parse_and_let_go,
    }
    results = interleaved([Contender(name, reading(read, body)) for name, read in readers.items()])
    held = {"stock boto3": boto3, "dynalens": decode, "orjson alone": orjson.loads}
    memory = "\n".join(f"| {name} | {bytes_held(read, body):,.0f} |" for name, read in held.items())
    return "\n\n".join(
        (
            f"{RECORDS} records of {len(body) / RECORDS:,.0f} bytes, both images {image}; seconds of CPU time.",
            table(results, unit="records/s", baseline="stock boto3"),
            table(results, unit="records/s", baseline="orjson alone"),
            f"| | bytes held for each record |\n|---|---:|\n{memory}",
        )
    )


def bytes_held(read: Callable[[bytes], object], body: bytes) -> float:
    """Measure the memory of what a reader returns, for each record."""
    read(body)
    tracemalloc.start()
    try:
        result = read(body)
        held, _ = tracemalloc.get_traced_memory()
        assert result
    finally:
        tracemalloc.stop()
    return held / RECORDS
