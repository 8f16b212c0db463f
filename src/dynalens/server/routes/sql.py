"""SQL over the collections."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from dynalens.errors import QueryLimitError
from dynalens.server.backend import missing_target
from dynalens.server.bodies import json_body
from dynalens.server.documented import answers, body
from dynalens.server.limits import SQL_CHARACTERS
from dynalens.server.models import SqlAnswer, SqlRequest
from dynalens.server.service import Here
from dynalens.server.waiting import Fresh

router = APIRouter(prefix="/api/v1", tags=["sql"])

_REQUEST = {
    "query": "SELECT platform, sum(amount) AS amount FROM donations WHERE amount > {least:Int64} GROUP BY platform",
    "parameters": {"least": 5},
    "format": "json",
}
_ANSWER = {
    "columns": [{"name": "platform", "type": "String"}, {"name": "amount", "type": "Decimal(38, 10)"}],
    "rows": [["Phone", 60]],
    "statistics": {"elapsed": 0.004, "rows_read": 2, "bytes_read": 120},
}


@router.post(
    "/sql",
    summary="Run one query",
    response_model=SqlAnswer,
    responses=answers(
        _ANSWER,
        *(400, 404, 408, 413, 415, 422, 503, 504),
        description="Rows; for `ndjson`, `csv` and `parquet` in that format, with its media type.",
    ),
    openapi_extra=body(SqlRequest, _REQUEST),
)
async def sql(
    here: Here,
    request: Request,
    fresh: Fresh,
    collection: Annotated[
        str | None,
        Query(
            description="The collection that `wait_for` is about, where the query names several.", examples=["users"]
        ),
    ] = None,
) -> Response:
    """Run one SELECT over the collections' views, read-only and within limits."""
    asked = await json_body(request, SqlRequest)
    if len(asked.query) > SQL_CHARACTERS:
        raise QueryLimitError(
            f"The query has {len(asked.query)} characters (limit: {SQL_CHARACTERS}).",
            hint="Pass long lists of values as parameters.",
        )
    reader = here.backend.sql
    if reader is None:
        raise missing_target("sql", "chdb://./data/sql")
    if collection is not None:
        here.backend.collection(collection)
    await fresh.of("sql", named_in(asked.query, here.backend.config.collections), about=collection)
    result = await here.queries.run(reader.query, asked.query, asked.parameters, output=asked.format)
    return Response(result.body, media_type=result.content_type)


def named_in(query: str, collections: Iterable[str]) -> list[str]:
    """Give the collections that a query may read: those whose name stands in it, or all where it escapes letters."""
    words = set(re.findall(r"\w+", query))
    return [name for name in collections if name in words or "\\" in query]
