"""HTTP/1.1 on one connection: uvicorn's, with our error shape, small buffers and an end to its patience."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from dynalens.server.answers import MEDIA_TYPE, error_answer
from dynalens.server.limits import HEAD_BYTES, HEAD_SECONDS, PIECE_BYTES, STUCK_SECONDS

_ANSWERED = frozenset({h11.DONE, h11.MUST_CLOSE, h11.CLOSED})


class Connection(H11Protocol):
    """One connection. uvicorn makes one per client and calls it; its own plug-in point is a subclass."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Take a new connection; a slow client's share of memory is one piece and this buffer."""
        self._resumed = 0
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=PIECE_BYTES)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, in the one shape, and close; without an answer where one is under way already."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            answer = error_answer(400, "bad_request", msg, f"Send HTTP/1.1 with a head of at most {HEAD_BYTES} bytes.")
            headers = [(b"content-type", MEDIA_TYPE.encode()), (b"connection", b"close")]
            self._write(h11.Response(status_code=400, headers=headers, reason=b"Bad Request"))
            self._write(h11.Data(data=bytes(answer.body)))
            self._write(h11.EndOfMessage())
        self.transport.close()

    def _write(self, event: h11.Event) -> None:
        self.transport.write(self.conn.send(event) or b"")

    def resume_writing(self) -> None:
        """Go on: the client has taken most of what was buffered."""
        self._resumed += 1
        super().resume_writing()

    @property
    def awaited(self) -> tuple[object, ...] | None:
        """What the server waits for the client to do; equal for as long as the client does nothing. None: for nothing.

        That is taking what is buffered for it, or sending a whole request head (after an answer: the rest of a body
        that was answered early, too).
        """
        if self.flow.write_paused:
            return ("reading", self._resumed, self.transport.get_write_buffer_size())
        if self.conn.their_state is h11.IDLE or self.conn.our_state in _ANSWERED:
            return ("asking", self.cycle)
        return None

    @property
    def patience_seconds(self) -> float:
        """How long the client has for that."""
        return STUCK_SECONDS if self.flow.write_paused else HEAD_SECONDS
