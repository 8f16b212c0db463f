"""Opening the sql target for a test, and asking it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from dynalens.target import Generation
from dynalens.target.sql import SqlTarget, open_sql
from tests.contract.implementations import COLLECTIONS
from tests.contract.writing import FIRST


def open_served(folder: Path, *generations: Generation) -> SqlTarget:
    target = open_sql("chdb://./sql", folder=folder)
    for generation in generations or (FIRST,):
        target.create(generation, COLLECTIONS[generation.collection])
        target.serve(generation)
    return target


def rows(target: SqlTarget, query: str, **parameters: object) -> list[list[Any]]:
    body = target.query(query, parameters).body
    found: list[list[Any]] = json.loads(body, parse_float=Decimal, parse_int=int)["rows"]
    return found
