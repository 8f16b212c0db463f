"""Connection: where the metrics server is, and what its errors mean to a user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.retry import Retry

from dynalens.errors import ConfigError, TargetError

MAJOR_VERSION = 7
"""The oldest server that refuses a script as a whole when it is out of memory ("Script flags", since Redis 7.0)."""
LOST = "LOST"
"""What a script's error begins with when the generation it was to work on is not there."""

_SCHEMES = {"valkey": "redis", "valkeys": "rediss", "redis": "redis", "rediss": "rediss"}
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 30.0
"""A script over a hundred thousand groups takes about a second; half-open connections end here."""
_EXAMPLE = (
    "Write valkey://embedded, or valkeys://USER:PASSWORD@HOST:6379/0 with the scheme valkey, valkeys, redis or rediss."
)


@dataclass(frozen=True, slots=True)
class Server:
    """One server.

    Attributes:
        url: Where it is, as redis-py takes it; may hold a password.
        name: How errors name it, without a password.
        unreachable: What to do when it does not answer.
    """

    url: str
    name: str
    unreachable: str = "Check that it runs, and the address under targets.metrics."

    def client(self) -> redis.Redis:
        """Open a client for any thread. It never retries: the worker's one policy does (`dynalens.retry`)."""
        return redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0), **_options())

    def async_client(self) -> redis.asyncio.Redis:
        """Open a client for one event loop. A silent reconnection would lose messages, so it never reconnects."""
        return redis.asyncio.Redis.from_url(self.url, retry=AsyncRetry(NoBackoff(), 0), **_options())

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turn the client's errors into `TargetError`."""
        try:
            yield
        except (RedisError, OSError) as error:
            raise self.failure(error) from error

    def failure(self, error: Exception) -> TargetError:
        """Say in the user's words what an error of the client means."""
        if str(error).startswith(LOST):
            return self.lost(str(error).removeprefix(LOST).strip())
        for kind, message, hint in _MEANINGS:
            if isinstance(error, kind):
                return TargetError(f"The metrics server {self.name} {message}.", hint=hint)
        if isinstance(error, (redis.ConnectionError, redis.TimeoutError, OSError)):
            return TargetError(f"The metrics server {self.name} does not answer: {error}.", hint=self.unreachable)
        return TargetError(f"The metrics server {self.name} refused a request: {error}", hint=_hint(str(error)))

    def started_anew(self) -> TargetError:
        """Say that another run of the server, or another server, answers."""
        return TargetError(
            f"The metrics server {self.name} was started anew or replaced.",
            hint="What it may have forgotten is applied again by itself.",
        )

    def lost(self, what: str) -> TargetError:
        """Say that something which was there is gone, as after a flush."""
        return TargetError(
            f"The metrics server {self.name} has lost data: {what}.", hint="The metrics are built anew from the table."
        )


_MEANINGS: tuple[tuple[type[Exception], str, str], ...] = (
    (
        OutOfMemoryError,
        "is out of memory and takes no more writes",
        "Give it more memory (maxmemory), or count fewer items.",
    ),
    (
        ReadOnlyError,
        "is a read-only replica",
        "Point targets.metrics to the primary; after a failover it is found again by its name.",
    ),
    (BusyLoadingError, "is still loading its data", "It answers as soon as that is done."),
    (
        AuthenticationError,
        "refused the login",
        "Put user and password into targets.metrics, from the environment: valkeys://USER:PASSWORD@HOST:6379",
    ),
    (
        NoPermissionError,
        "does not allow its user a command that is needed",
        "Allow it +@read +@write +@scripting +@pubsub +info +ping, on keys and channels dynalens:* and published ones.",
    ),
)


def _hint(message: str) -> str:
    if message.startswith("MISCONF"):
        return "It cannot write to its disk: free some space, then look into its log."
    if message.startswith(("MOVED", "ASK", "CLUSTERDOWN", "CROSSSLOT")):
        return "Use a server with cluster mode disabled."
    return "Look into its log."


def _options() -> Mapping[str, Any]:
    return {"socket_connect_timeout": _CONNECT_SECONDS, "socket_timeout": _ANSWER_SECONDS}


def parse_url(url: str) -> Server:
    """Read the address of a server: `valkey(s)://` or `redis(s)://`, user and password, host, port and database.

    Raises:
        ConfigError: The URL has another form. The message never shows a password.
    """
    try:
        parts = urlsplit(url)
        address = _address(parts)
    except ValueError as error:
        raise ConfigError(f"targets.metrics: the address is not a URL ({error}).", hint=_EXAMPLE) from None
    if parts.scheme not in _SCHEMES:
        raise ConfigError(f"targets.metrics: unknown scheme {parts.scheme!r}.", hint=_EXAMPLE)
    if not parts.hostname:
        raise ConfigError("targets.metrics: the address names no host.", hint=_EXAMPLE)
    database = parts.path.strip("/")
    if database and not (database.isascii() and database.isdigit()):
        raise ConfigError(f"targets.metrics: {parts.path!r} is no database number.", hint=_EXAMPLE)
    if parts.query or parts.fragment:
        raise ConfigError("targets.metrics: the address takes no options.", hint=_EXAMPLE)
    return Server(parts._replace(scheme=_SCHEMES[parts.scheme]).geturl(), address)


def _address(parts: SplitResult) -> str:
    return f"{parts.hostname}:{parts.port or 6379}{parts.path.rstrip('/')}"


def socket_server(path: str, name: str, unreachable: str) -> Server:
    """Give the server behind a socket on this machine."""
    return Server(f"unix://{quote(path)}", name, unreachable)


def check_server(server: Server, client: redis.Redis) -> str:
    """Refuse a server that could not keep what it is given; give the id of its run.

    That id is random and new with each start ("INFO", run_id, in Valkey's documentation).

    Raises:
        TargetError: It is too old, evicts keys when memory is short, or is a cluster's node.
    """
    with server.answering():
        about: Mapping[str, Any] = client.info()
    # Valkey gives the version of Redis that it is compatible with.
    version = str(about.get("redis_version", "0"))
    if int(version.partition(".")[0]) < MAJOR_VERSION:
        raise TargetError(
            f"The metrics server {server.name} has version {version}.",
            hint=f"Use Valkey, or Redis {MAJOR_VERSION} or newer.",
        )
    if about.get("cluster_enabled"):
        raise TargetError(
            f"The metrics server {server.name} is a node of a cluster.", hint="Use one with cluster mode disabled."
        )
    policy = str(about.get("maxmemory_policy", ""))
    if about.get("maxmemory") and policy.startswith("allkeys"):
        raise TargetError(
            f"The metrics server {server.name} throws keys away when memory is short (maxmemory-policy {policy}).",
            hint="Set maxmemory-policy to noeviction: metrics are not a cache.",
        )
    return str(about["run_id"])
