"""A client of the HTTP API, on the standard library alone."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from dynalens.config import masked
from dynalens.errors import DynalensError, UsageError

TIMEOUT_SECONDS = 60.0
"""Longest silence in an answer. The server ends every question by itself before that."""


class UnreachableError(DynalensError):
    """Nothing answers at the address."""

    code = "unreachable"


class AnswerError(DynalensError):
    """The server refused the request, or what answered is no Dynalens."""

    code = "answer"


class Client:
    """Asks one server; every answer is given as the bytes that were sent.

    Args:
        url: Its address, such as `http://127.0.0.1:7070`.
        timeout: Longest silence in an answer, in seconds.

    Raises:
        UsageError: That is no http address.
    """

    def __init__(self, url: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._opener = _opener(_host(url))

    def get(self, path: str, **query: object) -> bytes:
        """Ask for something; what is None in the query is left out.

        Raises:
            UnreachableError: Nothing answers.
            AnswerError: The server refused; message and hint are the server's.
        """
        given = {name: value for name, value in query.items() if value is not None}
        return self._send(self._request(f"{path}?{urlencode(given)}" if given else path))

    def post(self, path: str, body: Mapping[str, object]) -> bytes:
        """Send JSON; raises what `get` raises."""
        return self._send(self._request(path, json.dumps(body).encode()))

    def _request(self, path: str, body: bytes | None = None) -> Request:
        headers = {} if body is None else {"Content-Type": "application/json"}
        return Request(self.url + path, body, headers)  # noqa: S310 - the constructor lets only http through

    def _send(self, request: Request) -> bytes:
        shown = masked(self.url)
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                answer: bytes = response.read()
        except HTTPError as error:
            with error:
                raise _refusal(shown, error.code, error.read()) from error
        except TimeoutError as error:
            raise UnreachableError(
                f"{shown} has not answered within {self._timeout:g} s.", hint="Is it busy? See: dynalens status"
            ) from error
        except (URLError, HTTPException, OSError) as error:
            raise UnreachableError(f"No Dynalens answers at {shown}.", hint="Start it: dynalens up") from error
        return answer


def parsed(answer: bytes, **how: Any) -> Any:  # noqa: ANN401 - any JSON value; options of json.loads
    """Read an answer as JSON.

    Raises:
        AnswerError: It is none, so that another program answers there.
    """
    try:
        return json.loads(answer, **how)
    except ValueError as error:
        raise _stranger() from error


def _refusal(url: str, status: int, body: bytes) -> AnswerError:
    """Give the server's own error, in the one shape that all of its errors have."""
    try:
        error = json.loads(body)["error"]
        return AnswerError(error["message"], hint=error["hint"])
    except (ValueError, LookupError, TypeError):
        return _stranger(f" ({url} gave HTTP status {status})")


def _stranger(detail: str = "") -> AnswerError:
    return AnswerError(f"What answers is no Dynalens{detail}.", hint="Name its address: --url http://HOST:PORT")


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return parts.hostname
    except ValueError:
        pass
    raise UsageError(f"{masked(url)} is no address to ask.", hint="Write for example --url http://127.0.0.1:7070")


def _opener(host: str) -> OpenerDirector:
    # A proxy is no way to this machine itself, whatever the environment says.
    return build_opener(ProxyHandler({})) if _is_loopback(host) else build_opener()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
