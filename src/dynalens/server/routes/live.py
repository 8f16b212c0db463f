"""Live events, as Server-Sent Events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from dynalens.errors import QueryLimitError, RequestError
from dynalens.server.backend import Backend, missing_target
from dynalens.server.documented import answers
from dynalens.server.limits import TOPICS_PER_VIEWER
from dynalens.server.service import Here
from dynalens.server.sse import MEDIA_TYPE, LiveAnswer

router = APIRouter(prefix="/api/v1", tags=["live"])

_EXAMPLE = """\
retry: 2000

event: snapshot
id: metric:donations.by_platform:41
data: {"metric":"donations.by_platform","groups":[{"group":{"platform":"Phone"},"values":{"count":2}}],"total":null}

event: change
id: metric:donations.by_platform:42
data: {"metric":"donations.by_platform","group":{"platform":"Phone"},"values":{"count":3},"total":null,"exact":true}

event: document
id: collection:donations:97
data: {"collection":"donations","id":"a@test.com","document":{"email":"a@test.com","platform":"Phone"}}

event: fresh
data: {"collection":"donations","phase":"streaming","age_ms":120,"caught_up":true}

"""


@router.get(
    "/live",
    summary="What changes, as it changes",
    response_class=Response,
    responses=answers(_EXAMPLE, 400, 404, 422, 503, media_type=MEDIA_TYPE, description="A stream without end."),
)
async def live(
    here: Here,
    metrics: Annotated[
        str, Query(description="Metrics to watch, comma-separated.", examples=["donations.by_platform"])
    ] = "",
    collections: Annotated[
        str, Query(description="Collections to watch, comma-separated.", examples=["donations"])
    ] = "",
    *,
    fresh: Annotated[
        bool, Query(description="Whether to say, twice a second, how old what is seen may be.", examples=[True])
    ] = False,
) -> Response:
    """Stream a `snapshot` of each metric, then each `change`; and each `document` of collections as it arrives.

    Values are absolute. A viewer that falls behind gets a new `snapshot`, or a `lagged` event with the number of
    documents that it `missed` (null when unknown). While the target cannot be heard viewers get `stale` with the
    reason; a new snapshot ends that. A document that was deleted is null. With `fresh` each collection that is
    watched, itself or by a metric, says twice a second how old what is seen of it may be.
    """
    names = _topics(here.backend, metrics, collections)
    if fresh:
        names += [f"fresh:{collection}" for collection in dict.fromkeys(map(_watched_collection, names))]
    hub = here.hub
    if hub is None:
        raise missing_target("metrics", "valkey://embedded")
    return LiveAnswer(lambda: hub.join(names), hub.leave)


def _topics(backend: Backend, metrics: str, collections: str) -> list[str]:
    names = [f"metric:{_metric(backend, name)}" for name in _split(metrics)]
    names += [f"collection:{_collection(backend, name)}" for name in _split(collections)]
    if not names:
        raise RequestError("Nothing to watch was named.", hint=_offer(backend))
    if len(names) > TOPICS_PER_VIEWER:
        raise QueryLimitError(
            f"{len(names)} metrics and collections were named (limit: {TOPICS_PER_VIEWER} for one viewer).",
            hint="Open a second connection for the others.",
        )
    return names


def _watched_collection(topic: str) -> str:
    return topic.partition(":")[2].partition(".")[0]


def _split(names: str) -> list[str]:
    return [name for part in names.split(",") if (name := part.strip())]


def _metric(backend: Backend, name: str) -> str:
    collection, dot, metric = name.partition(".")
    if not dot:
        raise RequestError(
            f"{name[:100]!r} names no metric.", hint="Write collection.metric, such as donations.by_platform."
        )
    backend.metric(collection, metric)
    return name


def _collection(backend: Backend, name: str) -> str:
    backend.collection(name)
    return name


def _offer(backend: Backend) -> str:
    for name, collection in backend.config.collections.items():
        for metric in collection.metrics:
            return f"Write /api/v1/live?metrics={name}.{metric}&collections={name}"
    return f"Write /api/v1/live?collections={next(iter(backend.config.collections), '…')}"
