"""Create the table of the image library and put the images of images.ndjson, beside this script, into it.

python seed.py --endpoint-url http://127.0.0.1:8000
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

TABLE = "Images"
REGION = "eu-west-1"
FILE = Path(__file__).with_name("images.ndjson")

Image = dict[str, str]


def images() -> Iterator[Image]:
    """Read the images: `{"id", "title", "imageUrl"}`."""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


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
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUseException":
            raise
    table = dynamodb.Table(TABLE)
    table.wait_until_exists()
    return table


def main() -> None:
    """Create and fill the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint-url", required=True, help="the emulator; never AWS itself by accident")
    options = parser.parse_args()

    library = list(images())
    with create_table(connect(options.endpoint_url)).batch_writer() as writer:
        for image in library:
            writer.put_item(Item=image)
    print(f"{len(library)} images are in the table {TABLE}.")


if __name__ == "__main__":
    main()
