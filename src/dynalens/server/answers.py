"""Answers: JSON that keeps every digit, and the one shape of all errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from dynalens.errors import BusyError, DynalensError

MEDIA_TYPE = "application/json"

RETRY_AFTER_SECONDS = 1

Json = Any
"""Anything that JSON can say; `orjson.Fragment` stands for JSON that is rendered already."""


def json_answer(content: Json, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(rendered(content), status, headers, MEDIA_TYPE)


def rendered(content: Json) -> bytes:
    """Render JSON. Strings with lone surrogates, which DynamoDB can hold and UTF-8 cannot, are escaped."""
    try:
        return orjson.dumps(content)
    except TypeError:
        return json.dumps(content, separators=(",", ":")).encode()


def error_answer(
    status: int, code: str, message: str, hint: str = "", *, headers: Mapping[str, str] | None = None, **more: Json
) -> Response:
    """Answer with an error in the one shape; `more` stands beside it."""
    error = {"code": code, "message": message, "hint": hint}
    return json_answer({"error": error, **more}, status=status, headers=headers)


def refusal(error: DynalensError) -> Response:
    """Answer with one of our errors, as it describes itself."""
    retry = {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.http_status == BusyError.http_status else None
    return error_answer(error.http_status, error.code, error.message, error.hint, headers=retry)
