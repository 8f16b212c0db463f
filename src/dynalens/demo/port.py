"""Where the demo answers: the port that was asked for, or the first free one of a few."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from dynalens.errors import UsageError

HOST = "127.0.0.1"
FIRST, LAST = 7070, 7079
"""The ports to choose from where none was asked for: Dynalens' own, and a few behind it."""


def free_ports(asked: int | None) -> Iterator[int]:
    """Give ports that are free now, each when the one before turned out to be taken after all.

    Args:
        asked: The only port that will do; 0 leaves the choice to the system.

    Raises:
        UsageError: None is free (any more).
    """
    if asked is not None:
        if _is_free(asked):
            yield asked
        raise UsageError(f"Port {asked} is taken.", hint=f"Write another one: dynalens demo --port {_other(asked)}")
    yield from filter(_is_free, range(FIRST, LAST + 1))
    raise UsageError(f"Ports {FIRST} to {LAST} are taken.", hint=f"Write one: dynalens demo --port {LAST + 1}")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        # As the server does it: a port whose last connections are just ending is free.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
            listening.listen()
        except OSError:
            return False
    return True


def _other(port: int) -> int:
    return next((other for other in range(port + 1, port + 100) if other <= 65535 and _is_free(other)), 0)  # noqa: PLR2004 - the highest
