"""Collections, their documents and their metrics."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from dynalens import clock
from dynalens.change import typed_item
from dynalens.errors import NotFoundError
from dynalens.server.answers import MEDIA_TYPE, json_answer, rendered
from dynalens.server.applied import age_ms
from dynalens.server.backend import Backend, shortened
from dynalens.server.documented import answers
from dynalens.server.models import (
    CollectionAnswer,
    CollectionName,
    CollectionsAnswer,
    DocumentAnswer,
    FieldAnswer,
    MetricAnswer,
    PositionAnswer,
)
from dynalens.server.service import Here, document_reader, metric_reader, require_target
from dynalens.server.waiting import Fresh, keeper_of

router = APIRouter(prefix="/api/v1/collections", tags=["collections"])

CollectionPath = Annotated[str, Path(description="A collection's name.", examples=["donations"])]

_NAME = {"name": "donations", "table": "Donations", "metrics": ["by_platform"]}
_FIELD = {"name": "amount", "types": {"number": 9999, "string": 1}, "column": "Nullable(Decimal(38, 10))", "drift": 1}
_DOCUMENT = {
    "id": "S:a@test.com|S:2019-08-07T07:26:56",
    "document": {
        "email": "a@test.com",
        "donatedAt": "2019-08-07T07:26:56",
        "platform": "Facebook",
        "amount": 10,
    },
}
_POSITION = {
    "collection": "donations",
    "target": "sql",
    "table": "Donations",
    "applied": 1754550060.0,
    "age_ms": 120,
    "position": "eJyLNtRRcsnPS8wvzkhMKVbSiY5WKs5ILEnU9UzRNVSK1VEyNDQEEYYGhko6UYmxsbEAzTkMEQ",
}
_METRIC = {
    "metric": "donations.by_platform",
    "groups": [{"group": {"platform": "Phone"}, "values": {"count": 2, "amount_sum": 60}}],
    "total": {"count": 2, "amount_sum": 60},
}


@router.get("", summary="All collections", responses=answers({"collections": [_NAME]}))
async def collections(here: Here) -> CollectionsAnswer:
    """List the names of collections, of their tables and of their metrics."""
    return CollectionsAnswer(collections=[_name(here.backend, name) for name in here.backend.config.collections])


def _name(backend: Backend, name: str) -> CollectionName:
    collection = backend.collection(name)
    return CollectionName(name=name, table=collection.table, metrics=list(collection.metrics))


@router.get(
    "/{collection}",
    summary="One collection and its fields",
    responses=answers({**_NAME, "documents": 10000, "fields": [_FIELD]}, 400, 404, 503, 504),
)
async def collection(here: Here, collection: CollectionPath, fresh: Fresh) -> CollectionAnswer:
    """Count the documents, and list the fields with the JSON types seen."""
    name = _name(here.backend, collection)
    reader = document_reader(here.backend)
    await fresh.of(keeper_of(here.backend), [collection])
    documents = await here.documents.run(reader.count, collection)
    fields = await here.documents.run(reader.fields, collection)
    return CollectionAnswer(
        **name.model_dump(),
        documents=documents,
        fields=[
            FieldAnswer(name=field.name, types=dict(field.types), column=field.column, drift=field.drift)
            for field in fields
        ],
    )


@router.get(
    "/{collection}/position",
    summary="How far a collection is applied",
    responses=answers(_POSITION, 400, 404, 503),
)
async def position(
    here: Here,
    collection: CollectionPath,
    target: Annotated[Literal["sql", "search", "metrics"], Query(description="The target that is read.")],
) -> PositionAnswer:
    """Give the position that is applied to a target now, to be waited for elsewhere; what was read before is in it."""
    table = here.backend.collection(collection).table
    require_target(here.backend, target)
    applied = await here.tables.applied(table, 0.0)
    now = clock.now()
    report = applied.report(target, now)
    return PositionAnswer(
        collection=collection,
        target=target,
        table=table,
        applied=(report.applied_at or None) if report else None,
        age_ms=age_ms(report, now) if report else None,
        position=str(applied.token(target)),
    )


@router.get(
    "/{collection}/documents/{id:path}",
    summary="One document",
    response_model=DocumentAnswer,
    responses=answers(_DOCUMENT, 400, 404, 503, 504),
)
async def document(
    here: Here,
    fresh: Fresh,
    collection: CollectionPath,
    id: Annotated[str, Path(description="The document's id, percent-encoded.", examples=["a@test.com"])],  # noqa: A002
    format: Annotated[  # noqa: A002 - the name of the parameter in the URL
        Literal["json", "dynamodb"], Query(description="`dynamodb` gives typed attributes.")
    ] = "json",
) -> Response:
    """Give a document as it is stored, every digit kept."""
    here.backend.collection(collection)
    reader = document_reader(here.backend)
    await fresh.of(keeper_of(here.backend), [collection])
    stored = await here.documents.run(reader.document, collection, id)
    if stored is None:
        raise NotFoundError(
            f"There is no document {shortened(id)!r} in {collection}.",
            hint="Give the id percent-encoded, as it stands in the column _id of the collection's SQL view.",
        )
    if format == "dynamodb":
        return json_answer({"id": stored.id, "document": typed_item(stored.json, stored.types)})
    return Response(b'{"id":%b,"document":%b}' % (rendered(stored.id), stored.json), media_type=MEDIA_TYPE)


@router.get(
    "/{collection}/metrics/{metric}",
    summary="One metric",
    response_model=MetricAnswer,
    responses=answers(_METRIC, 400, 404, 503, 504),
)
async def metric(
    here: Here,
    fresh: Fresh,
    collection: CollectionPath,
    metric: Annotated[str, Path(description="A metric's name.", examples=["by_platform"])],
) -> Response:
    """Give all groups of a metric and its total, of one moment.

    Where not everything is counted, `exact` is false and `phase` says why: the first copy is not complete, a gap is
    open, or a dead letter waits (then the groups that miss something say so themselves).
    """
    here.backend.metric(collection, metric)
    metric_reader(here.backend)
    await fresh.of("metrics", [collection])
    snapshot = await here.metric(collection, metric)
    return Response(snapshot.json, media_type=MEDIA_TYPE)
