"""Request bodies: read whole within limits of size, time and depth, then checked against their model.

FastAPI's own way parses before anything limits depth, and turns decimals into floats.
"""

from __future__ import annotations

import asyncio
import json
import re
from decimal import Decimal
from typing import Any, NoReturn, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from dynalens.errors import QueryLimitError, RequestError
from dynalens.server.limits import BODY_BYTES, BODY_SECONDS, JSON_DEPTH

Model = TypeVar("Model", bound=BaseModel)

# Possessive, so that each byte is looked at once: with backtracking, a body of quotes and backslashes takes hours.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_OPENING = frozenset(b"[{")


class MediaTypeError(RequestError):
    """The body is not declared to be JSON."""

    code = "media_type"
    http_status = 415


class BodyTooLargeError(QueryLimitError):
    """The body is larger than the limit."""

    http_status = 413


class SlowBodyError(RequestError):
    """The body did not arrive in time."""

    code = "slow_body"
    http_status = 408


async def json_body(request: Request, model: type[Model]) -> Model:
    """Read a request's JSON body into a model; numbers keep every digit, as int or Decimal.

    Raises:
        MediaTypeError: It is not declared as JSON. Pages of other origins cannot declare that without asking first
            ("Simple requests" in the Fetch standard), so it also keeps them from posting to a server on loopback.
        BodyTooLargeError, SlowBodyError, QueryLimitError: It passes the limit of size, time or depth.
        RequestError: It is not JSON.
        RequestValidationError: It is JSON of another shape.
    """
    _require_json(request.headers.get("content-type", ""))
    body = await _whole_body(request)
    _limit_depth(body)
    try:
        return model.model_validate(_parsed(body))
    except ValidationError as error:
        located = [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors()]
        raise RequestValidationError(located) from error


def _require_json(content_type: str) -> None:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise MediaTypeError(
            f"The body is declared as {media_type[:60] or 'nothing'!r}, not as JSON.",
            hint="Send the header Content-Type: application/json (curl: --json instead of --data).",
        )


async def _whole_body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > BODY_BYTES:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > BODY_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise SlowBodyError(f"The body did not arrive within {BODY_SECONDS:g} s.", hint="Send it in one go.") from None
    return bytes(body)


def _too_large() -> BodyTooLargeError:
    return BodyTooLargeError(f"The body is larger than the limit of {BODY_BYTES} bytes.", hint="Send less at once.")


def _limit_depth(body: bytes) -> None:
    """Count brackets outside strings: parsers are recursive, so depth is limited before one sees the body."""
    depth = 0
    for bracket in _STRING.sub(b"", body).translate(None, _NO_BRACKET):
        depth += 1 if bracket in _OPENING else -1
        if depth > JSON_DEPTH:
            raise QueryLimitError(f"The body nests deeper than the limit of {JSON_DEPTH} levels.", hint="Flatten it.")


def _parsed(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        # Decoded here: given bytes, the parser would take UTF-16 too, which the limit of depth cannot read.
        return json.loads(body.decode(), parse_float=Decimal, parse_constant=_no_number)
    except ValueError as error:  # broken JSON, broken UTF-8, or an integer of thousands of digits
        raise RequestError(
            f"The body is not JSON: {error}", hint='Send an object such as {"query": "SELECT 1"}.'
        ) from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
