"""Around every request: who may ask, what every answer carries, what is counted, and what happens to a bug."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections import Counter
from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dynalens.server.answers import error_answer
from dynalens.server.backend import shortened

logger = logging.getLogger(__name__)

_METHODS = frozenset({"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"})

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


FRESHNESS = "dynalens.freshness"
"""Where a request's scope holds how fresh its answer is: a value of `Dynalens-Freshness` for each collection read."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests answered so far, by method, route and status. Routes are templates, so that their number is bounded."""

    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)


class Guard:
    """Middleware around the whole application."""

    def __init__(self, app: ASGIApp, *, traffic: Traffic) -> None:
        self._app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on if its Host header names this machine's loopback."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        try:
            await self._answer(scope, receive, exchange)
        except ClientDisconnect:
            pass  # nobody is left to answer
        except asyncio.CancelledError:
            if exchange.status:
                raise
            await _stopping(scope, receive, exchange.send)
        except Exception:
            if exchange.status:
                raise  # too late for an answer: the server logs it and closes the connection
            logger.exception("%s %s failed.", scope["method"], scope["path"])
            await _unexpected(scope, receive, exchange.send)
        finally:
            self._count(scope, exchange.status)

    async def _answer(self, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
        host = _host(scope)
        answer: ASGIApp = self._app
        if not is_loopback(host):
            answer = error_answer(
                403,
                "host",
                f"The Host header names {shortened(host)!r}, which is not this machine's loopback.",
                "Without keys the server answers on localhost, 127.0.0.1 and [::1] only, so that no web page can "
                "reach it under a name of its own.",
            )
        elif _is_from_another_site(scope):
            answer = error_answer(
                403,
                "cross_site",
                "A page of another site asked for this, and would be the only one to gain from it.",
                "Open the address itself, or ask from a program or a page of this machine.",
            )
        await answer(scope, receive, exchange.send)

    def _count(self, scope: Scope, status: int) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._traffic.requests[method, route, status] += 1


class _Exchange:
    """One answer on its way out: adds the headers that all carry and remembers the status; 0 before it starts."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            for fresh in self._scope.get(FRESHNESS, ()):
                headers.append("Dynalens-Freshness", fresh)
        await self._send(message)


async def _stopping(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request that the server could not finish before it had to end."""
    message = "The server stopped before this request was answered."
    await error_answer(503, "stopping", message, "Try again.", headers={"Retry-After": "1"})(scope, receive, send)


async def _unexpected(scope: Scope, receive: Receive, send: Send) -> None:
    hint = "Its log has the details. Please report it."
    await error_answer(500, "internal", "The server failed to answer this request.", hint)(scope, receive, send)


def _is_from_another_site(scope: Scope) -> bool:
    """Whether a page of another site makes this request: it could not read the answer, but keep the server busy.

    Following a link is no such request. Source: "Fetch Metadata Request Headers" (W3C); programs send none of them.
    """
    return _header(scope, b"sec-fetch-site") == "cross-site" and _header(scope, b"sec-fetch-mode") != "navigate"


def _header(scope: Scope, wanted: bytes) -> str:
    """Give the first header of a name; empty when there is none."""
    found: bytes = next((value for name, value in scope["headers"] if name == wanted), b"")
    return found.decode("latin-1")


def _host(scope: Scope) -> str:
    """Give the Host header without its port; empty when there is none."""
    value = _header(scope, b"host")
    if value.startswith("["):
        return str(value.partition("]")[0].removeprefix("["))
    return str(value.rpartition(":")[0] or value) if value.count(":") == 1 else str(value)


def is_loopback(host: str) -> bool:
    """Whether a host, by name or address, is this machine's loopback. Other names are not looked up."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
