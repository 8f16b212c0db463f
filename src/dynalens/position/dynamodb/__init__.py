"""The store of several workers: positions, leases, dead letters, reports and requests in one DynamoDB table.

What is promised rests on conditional writes, transactions and strongly consistent reads alone; no clock takes part in
it (`docs/correctness.md`). What it costs is in `docs/store.md`.
"""

from __future__ import annotations

from dynalens.config import StoreLocation
from dynalens.position.dynamodb.fleet import Members
from dynalens.position.dynamodb.generations import Generations
from dynalens.position.dynamodb.items import Items
from dynalens.position.dynamodb.letters import Letters
from dynalens.position.dynamodb.reports import Reports, Requests
from dynalens.retry import STANDARD, RetryPolicy

__all__ = ["DynamoStore"]


class DynamoStore(Generations, Members, Letters, Reports, Requests):
    """`PositionStore`, `Fleet`, `DeadLetterStore`, `ReportStore` and `RequestStore` in one table.

    Args:
        location: The table, which `dynalens store create` makes.
        retries: How a request is tried again that may pass by itself.

    Raises:
        StoreError: AWS cannot be reached as configured. Whether the table exists shows with the first request.
    """

    def __init__(self, location: StoreLocation, *, retries: RetryPolicy = STANDARD) -> None:
        super().__init__(Items(location, retries))
