"""What may be asked of the worker that leads a collection's table, and how what came of it is told."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dynalens import clock
from dynalens.request import Request, RequestKind, RequestState

TargetName = Literal["sql", "search", "metrics"]
RequestNumber = Annotated[int, Field(ge=1, le=2**53 - 1)]

FASTEST = 1_000_000
"""Documents per second that a verification may be told to compare."""


class VerifyOptions(BaseModel):
    """How to compare."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sample: float = Field(default=1.0, gt=0, le=1, description="Share of the documents to compare, by their ids.")
    rate: float = Field(default=1000.0, gt=0, le=FASTEST, description="Documents per second, at most.")
    repair: bool = Field(default=False, description="Apply again what differs.")


class RequestBody(BaseModel):
    """What to do with a collection in a target."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: RequestKind = Field(
        description="`rebuild`: build a new generation beside the served one, and keep that one when it is switched;"
        " `back`: serve the one before again; `release`: drop the one before; `verify`: compare with the table."
    )
    target: TargetName
    options: VerifyOptions | None = Field(default=None, description="Of `verify` alone.")

    @model_validator(mode="after")
    def _options_fit(self) -> Self:
        if self.options is not None and self.kind != "verify":
            raise ValueError("only a verify has options")
        return self

    def request(self, table: str, collection: str) -> Request:
        """Give what the store keeps of it; every default is filled in."""
        options = self.options or VerifyOptions()
        now = clock.now()
        return Request(
            table=table,
            collection=collection,
            target=self.target,
            kind=self.kind,
            options=options.model_dump_json() if self.kind == "verify" else "{}",
            asked_at=now,
            changed_at=now,
        )


class RequestProgress(BaseModel):
    """How far it is."""

    done: int = Field(description="Documents done with so far.")
    total: int | None = Field(description="All of them, by DynamoDB's estimate; null where nobody knows.")


class RequestAnswer(BaseModel):
    """Something asked, and what came of it so far; times in epoch seconds."""

    number: int
    table: str
    collection: str
    target: str
    kind: RequestKind
    state: RequestState
    options: dict[str, Any]
    progress: RequestProgress | None = Field(description="Null where none is told.")
    outcome: dict[str, Any] = Field(description="Of `verify`: what was compared and what differs.")
    failure: str = Field(description="Why it failed; else empty.")
    asked_at: float
    changed_at: float

    @classmethod
    def of(cls, request: Request) -> RequestAnswer:
        """Tell of a stored request. What it says of its progress stands in its outcome, as `progress`."""
        outcome = json.loads(request.outcome)
        return cls(
            number=request.number,
            table=request.table,
            collection=request.collection,
            target=request.target,
            kind=request.kind,
            state=request.state,
            options=json.loads(request.options),
            progress=outcome.pop("progress", None),
            outcome=outcome,
            failure=request.error,
            asked_at=request.asked_at,
            changed_at=request.changed_at,
        )


class RequestsAnswer(BaseModel):
    """What was asked of a collection, oldest first."""

    requests: list[RequestAnswer]
