"""What the OpenAPI document says of answers: an example for each route, and every error that it may give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from dynalens.server.models import ErrorAnswer

Documented = dict[int | str, dict[str, Any]]

_ERRORS = {
    400: (
        "The request cannot be answered as it stands.",
        ("bad_request", "query.limit: Input should be less than or equal to 1000", "You sent: 5000"),
    ),
    403: (
        "The Host header, or something in the query, is not allowed.",
        ("host", "The Host header names 'example.com', which is not this machine's loopback.", "Use localhost."),
    ),
    404: (
        "There is nothing of that name.",
        (
            "not_found",
            "There is no collection 'donation'.",
            "Did you mean 'donations'? collections: donations, users",
        ),
    ),
    408: (
        "The body did not arrive in time.",
        ("slow_body", "The body did not arrive within 10 s.", "Send it at once."),
    ),
    413: (
        "The body is too large.",
        ("limit", "The body is larger than the limit of 1048576 bytes.", "Send less at once."),
    ),
    415: (
        "The body is not declared as JSON.",
        ("media_type", "The body is declared as 'text/plain', not as JSON.", "Send Content-Type: application/json."),
    ),
    422: (
        "The request, or the query in it, passes a limit that the message names.",
        ("limit", "The body nests deeper than the limit of 64 levels.", "Flatten it."),
    ),
    500: ("A bug; the log has the details.", ("internal", "The server failed to answer this request.", "Report it.")),
    503: (
        "Busy, or a target or store cannot be reached; try again.",
        ("busy", "Too many requests for SQL are running (limit: 20 at once).", "Try again in a second."),
    ),
    504: (
        "What was waited for is not applied in time.",
        (
            "wait_timeout",
            "donations in sql is not there after 5 s: shard shardId-1 stands at its beginning; 3 changes wait.",
            "Ask again, with a wait_timeout of up to 30 s; GET /api/v1/status shows what holds it up.",
        ),
    ),
}

_ALWAYS = (403, 500)


def answers(
    example: object,
    *errors: int,
    status: int = 200,
    media_type: str = "application/json",
    description: str = "As asked.",
) -> Documented:
    """Document a route's answers: an example of the good one, and the statuses of the errors that it may give."""
    documented: Documented = {status: {"description": description, "content": {media_type: {"example": example}}}}
    for failed in sorted({*errors, *_ALWAYS}):
        documented[failed] = error(failed)
    # Stands in for FastAPI's own description of a validation error, which has another shape and status.
    documented["default"] = {"description": "Any other error has this shape too.", "model": ErrorAnswer}
    return documented


def error(status: int) -> dict[str, Any]:
    """Document one error answer."""
    description, (code, message, hint) = _ERRORS[status]
    example = {"error": {"code": code, "message": message, "hint": hint}}
    return {"description": description, "model": ErrorAnswer, "content": {"application/json": {"example": example}}}


def parameter(name: str, kind: str, description: str, example: object) -> dict[str, Any]:
    """Document a parameter of a URL that FastAPI does not read for us; `kind` is its JSON type."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {"type": kind},
        "example": example,
    }


def query_body(example: object) -> dict[str, Any]:
    """Document a request body in the Query DSL, which may be left out."""
    description = "Elasticsearch's Query DSL, as far as docs/search.md lists it."
    content = {"application/json": {"schema": {"type": "object", "description": description}, "example": example}}
    return {"requestBody": {"required": False, "content": content}}


def body(model: type[BaseModel], example: object) -> dict[str, Any]:
    """Document a request body that `dynalens.server.bodies.json_body` reads."""
    content = {"application/json": {"schema": _inlined(model.model_json_schema()), "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Put definitions where they are referred to: within the whole document such a reference leads nowhere."""
    definitions = schema.pop("$defs", {})

    def resolved(part: object) -> object:
        if isinstance(part, list):
            return [resolved(each) for each in part]
        if not isinstance(part, dict):
            return part
        name = str(part.get("$ref", "")).removeprefix("#/$defs/")
        return resolved(definitions[name]) if name else {key: resolved(value) for key, value in part.items()}

    return {key: resolved(value) for key, value in schema.items()}
