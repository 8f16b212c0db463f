"""Dead letters: what a target could not hold, and asking for another try."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from dynalens.dead_letter import DeadLetter
from dynalens.errors import NotFoundError
from dynalens.server.answers import json_answer
from dynalens.server.bodies import json_body
from dynalens.server.documented import answers, body
from dynalens.server.limits import LETTERS_PER_ANSWER
from dynalens.server.models import (
    LetterAnswer,
    LetterNumber,
    LettersAnswer,
    LetterState,
    LetterSummary,
    RedriveAnswer,
    RedriveRequest,
)
from dynalens.server.service import Here

router = APIRouter(prefix="/api/v1/dead-letters", tags=["dead letters"])

_LETTER = {
    "number": 7,
    "table": "Donations",
    "target": "metrics",
    "collection": "donations",
    "generation": 1,
    "document_id": "S:a@test.com|S:2019-08-07T07:26:56",
    "version": "4503603922337793",
    "partition": "shardId-1",
    "sequence_number": "111100000000000000000000001",
    "created_at": 1754550000.0,
    "stored_at": 1754550001.5,
    "code": "out_of_scale",
    "message": "amount 10.005 has more than 2 decimals",
    "state": "waiting",
}
_RECORD = {"eventName": "INSERT", "dynamodb": {"Keys": {"email": {"S": "a@test.com"}}}}


@router.get("", summary="Dead letters, oldest first", responses=answers({"dead_letters": [_LETTER]}, 400, 404, 503))
async def letters(
    here: Here,
    collection: Annotated[str | None, Query(description="Only those of this collection.")] = None,
    state: Annotated[LetterState | None, Query(description="Only those in this state.")] = None,
    limit: Annotated[int, Query(ge=1, le=LETTERS_PER_ANSWER)] = 100,
) -> LettersAnswer:
    """List dead letters without their records."""
    if collection is not None:
        here.backend.collection(collection)
    found = await here.stores.run(here.backend.dead_letters.letters, state=state, collection=collection, limit=limit)
    return LettersAnswer(dead_letters=[_summary(letter) for letter in found])


@router.get(
    "/{number}",
    summary="One dead letter, whole",
    response_model=LetterAnswer,
    responses=answers({**_LETTER, "record": _RECORD}, 400, 404, 503),
)
async def letter(here: Here, number: Annotated[LetterNumber, Path(examples=[7])]) -> Response:
    """Give a dead letter with its record in DynamoDB JSON, as it was received."""
    found = await here.stores.run(here.backend.dead_letters.letter, number)
    if found is None:
        raise NotFoundError(f"There is no dead letter {number}.", hint="GET /api/v1/dead-letters lists them.")
    return json_answer({**_summary(found).model_dump(), "record": orjson.Fragment(found.record)})


@router.post(
    "/redrive",
    summary="Apply dead letters again",
    response_model=RedriveAnswer,
    responses=answers({"requested": 1}, 400, 404, 408, 413, 415, 422, 503),
    openapi_extra=body(RedriveRequest, {"numbers": [7]}),
)
async def redrive(here: Here, request: Request) -> RedriveAnswer:
    """Ask the worker to apply dead letters again; what then became of them is seen in their state."""
    asked = await json_body(request, RedriveRequest)
    requested = await here.stores.run(here.backend.dead_letters.request_redrive, asked.numbers)
    if asked.numbers is not None and not requested:
        raise NotFoundError(
            "None of these dead letters waits.", hint="GET /api/v1/dead-letters?state=waiting lists those that do."
        )
    return RedriveAnswer(requested=requested)


def _summary(letter: DeadLetter) -> LetterSummary:
    return LetterSummary(
        number=letter.number,
        table=letter.table,
        target=letter.target,
        collection=letter.collection,
        generation=letter.generation,
        document_id=letter.document_id,
        version=str(letter.version),
        partition=letter.partition,
        sequence_number=letter.sequence_number,
        created_at=letter.created_at,
        stored_at=letter.stored_at,
        code=letter.code,
        message=letter.message,
        state=letter.state,
    )
