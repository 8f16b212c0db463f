"""Request bodies: read whole within limits of size, time and depth, then checked against their model.

FastAPI's own way parses before anything limits depth, and turns decimals into floats.
"""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections import Counter
from collections.abc import Container, Sequence
from decimal import Decimal, InvalidOperation
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
_GZIP = 16
"""Added to the size of the window, it has zlib read gzip ("Advanced functions" in zlib's manual)."""

_OPENING = frozenset(b"[{")

_JSON = frozenset({"application/json"})

ELASTICSEARCH_JSON = _JSON | {"application/vnd.elasticsearch+json"}
"""JSON as Elasticsearch's newer clients declare it ("REST API compatibility", Elasticsearch reference)."""


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
    _require_json(request)
    return as_model(_parsed(await _whole_body(request)), model)


async def optional_json(request: Request, media_types: Container[str] = _JSON) -> Any | None:  # noqa: ANN401 - any JSON value
    """Read a request's JSON body where it has one, as `json_body` does; None where it has none.

    Raises:
        DynalensError: As `json_body`. A request without a body need not declare what the body is.
    """
    body = await _whole_body(request)
    if not body.strip():
        return None
    _require_json(request, media_types)
    return _parsed(body)


def as_model(value: Any, model: type[Model]) -> Model:  # noqa: ANN401 - any JSON value
    """Check a JSON value of a body against its model.

    Raises:
        RequestValidationError: It has another shape.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        located = [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors()]
        raise RequestValidationError(located) from error


def _require_json(request: Request, media_types: Container[str] = _JSON) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in media_types:
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
    return _decoded(bytes(body), request.headers.get("content-encoding", "identity").strip().lower())


def _decoded(body: bytes, encoding: str) -> bytes:
    """Undo gzip, which clients of Elasticsearch may send, no further than a body may be large."""
    if encoding == "identity" or not body:
        return body
    if encoding != "gzip":
        raise MediaTypeError(f"The body is encoded as {encoding[:60]!r}.", hint="Send it as it is, or as gzip.")
    inflating = zlib.decompressobj(wbits=zlib.MAX_WBITS | _GZIP)
    try:
        whole = inflating.decompress(body, BODY_BYTES + 1)
    except zlib.error:
        whole = b""
    if len(whole) > BODY_BYTES:
        raise _too_large()
    if not inflating.eof:
        raise RequestError("The body is declared as gzip and is none.", hint="Leave out Content-Encoding.")
    return whole


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
    _limit_depth(body)
    try:
        # Decoded here: given bytes, the parser would take UTF-16 too, which the limit of depth cannot read.
        text = body.decode()
        return json.loads(text, parse_float=_decimal, parse_constant=_no_number, object_pairs_hook=_object)
    except ValueError as error:  # broken JSON, broken UTF-8, or an integer of thousands of digits
        raise RequestError(
            f"The body is not JSON: {error}", hint="GET /openapi.json has an example of each route's body."
        ) from error


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name that stands twice: the parser would keep the last one and ignore the others."""
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the name {twice[:60]!r} stands twice in one object")
    return found


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"the exponent of {text[:60]} is out of range") from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
