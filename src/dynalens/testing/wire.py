"""The JSON wire of DynamoDB and DynamoDB Streams over HTTP, and the ways in which it can break.

Source: "DynamoDB low-level API" in the developer guide.
"""

from __future__ import annotations

import json
import sys
import zlib
from enum import StrEnum
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol


class Fault(StrEnum):
    """How a call can fail. The first ones are wire errors; any other name of one may be given as a string too."""

    THROTTLED = "ThrottlingException"
    TOO_MANY_READERS = "LimitExceededException"
    THROUGHPUT = "ProvisionedThroughputExceededException"
    INTERNAL = "InternalServerError"
    EXPIRED_ITERATOR = "ExpiredIteratorException"
    TRIMMED = "TrimmedDataAccessException"
    NOT_FOUND = "ResourceNotFoundException"
    INVALID = "ValidationException"
    DENIED = "AccessDeniedException"
    EXPIRED_TOKEN = "ExpiredTokenException"  # noqa: S105 - the name of an error
    HTML = "a load balancer's page, 503"
    CUT_BODY = "the connection breaks in the middle of the answer"
    CUT_JSON = "half of the answer, as if it were whole"
    INVALID_JSON = "an answer that is not JSON"
    WRONG_CHECKSUM = "an answer that does not match its checksum"
    RESET = "the connection is closed without an answer"


class WireError(Exception):
    """A call fails with this name and message on the wire."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class Script(Protocol):
    """What decides the answers."""

    def received(self, operation: str, request: dict[str, Any]) -> str:
        """Note a call; return the fault that it meets, or nothing."""
        ...

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one call: the request's members in, those of the answer out.

        Raises:
            WireError: The call fails.
        """
        ...


class WireServer(ThreadingHTTPServer):
    """Serves a script on a free port of loopback."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has them
        """Keep quiet about clients that hang up; print everything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: WireServer
    protocol_version = "HTTP/1.1"
    # One packet for each answer: a header sent alone makes its body wait 40 ms for the acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            # The client was killed while it asked.
            self.close_connection = True
            return
        request = json.loads(body)
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        fault = self.server.script.received(operation, request)
        if fault == Fault.RESET:
            self.close_connection = True
        elif fault == Fault.HTML:
            self._send(503, b"<html><body>503 Service Unavailable</body></html>", kind="text/html")
        elif fault and fault not in _BROKEN_ANSWERS:
            self._send_error(WireError(fault, "scripted"))
        else:
            self._answer(operation, request, fault)

    def _answer(self, operation: str, request: dict[str, Any], fault: str) -> None:
        try:
            body = json.dumps(self.server.script.answer(operation, request)).encode()
        except WireError as error:
            self._send_error(error)
            return
        match fault:
            case Fault.CUT_BODY:
                self._send(200, body[: len(body) // 2], announced=body)
                self.close_connection = True
            case Fault.CUT_JSON:
                self._send(200, body[: len(body) // 2])
            case Fault.INVALID_JSON:
                self._send(200, b"{'Records': oops}")
            case Fault.WRONG_CHECKSUM:
                self._send(200, body, announced=bytes(len(body)))
            case _:
                self._send(200, body)

    def _send_error(self, error: WireError) -> None:
        name = f"com.amazonaws.dynamodb.v20120810#{error.name}"
        status = 500 if error.name in _SERVER_ERRORS else 400
        self._send(status, json.dumps({"__type": name, "message": str(error)}).encode())

    def _send(
        self, status: int, body: bytes, *, announced: bytes | None = None, kind: str = "application/x-amz-json-1.0"
    ) -> None:
        """Send a body under headers that speak of it, or of the `announced` one."""
        announced = body if announced is None else announced
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(announced)))
        if status == HTTPStatus.OK:
            self.send_header("x-amz-crc32", str(zlib.crc32(announced)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet: the script is told of every request."""


_BROKEN_ANSWERS = {Fault.CUT_BODY, Fault.CUT_JSON, Fault.INVALID_JSON, Fault.WRONG_CHECKSUM}
_SERVER_ERRORS = {"InternalServerError", "InternalFailure"}
