"""Server-Sent Events on the wire: frames rendered once, and the answer that hands them to one viewer.

Source: "Server-sent events" in the HTML Living Standard (WHATWG), "Interpreting an event stream".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dynalens.server.limits import PIECE_BYTES
from dynalens.server.live import Viewer

MEDIA_TYPE = "text/event-stream"

OPENING = b"retry: 2000\n\n"
"""Tells browsers to come back two seconds after the connection is lost."""

HEARTBEAT = b":\n\n"
"""A comment, which clients ignore."""


class LiveAnswer(Response):
    """Streams frames to one viewer until it leaves or the hub closes.

    Args:
        join: Makes the viewer, when the answer starts; what it raises is answered as an error.
        leave: Called once the viewer is gone.
    """

    media_type = MEDIA_TYPE

    def __init__(self, join: Callable[[], Viewer], leave: Callable[[Viewer], None]) -> None:
        self.status_code = 200
        self.background = None
        # Proxies such as nginx would hold frames back to fill their buffers.
        self.init_headers({"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._join = join
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Join, stream, leave."""
        viewer = self._join()
        absence = asyncio.create_task(_notice_absence(receive, viewer))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await _send(send, OPENING)
            # The server cancels what outlasts its grace when it stops; a stream has nothing left to say then.
            with suppress(asyncio.CancelledError):
                await _stream(viewer, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            absence.cancel()
            self._leave(viewer)


async def _stream(viewer: Viewer, send: Send) -> None:
    while not viewer.closed:
        viewer.wake.clear()
        frames = viewer.take(PIECE_BYTES) or ([HEARTBEAT] if viewer.beat else [])
        viewer.beat = False
        for piece in pieces(frames):
            # Returns at once until the connection's buffer is full, then waits for a slow client.
            await _send(send, piece)
        if sum(map(len, frames)) < PIECE_BYTES:  # else there may be more to take
            await viewer.wake.wait()


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _notice_absence(receive: Receive, viewer: Viewer) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    viewer.close()


def pieces(frames: Sequence[bytes], size: int = PIECE_BYTES) -> Iterator[bytes]:
    """Join small frames and cut large ones, so that a viewer that stops reading holds one piece of `size` bytes."""
    if len(frames) == 1 and len(frames[0]) <= size:
        yield frames[0]
        return
    joined = b"".join(frames)
    for start in range(0, len(joined), size):
        yield joined[start : start + size]
