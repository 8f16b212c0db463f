"""The newest frames of one topic: all that is kept for viewers that fall behind."""

from __future__ import annotations

from collections import deque
from itertools import islice

from dynalens.server.limits import RING_BYTES


class Ring:
    """Frames with consecutive revisions, bounded in bytes; the newest is always kept. Shared by all viewers.

    Attributes:
        last: Revision of the newest frame; None before the first.
    """

    def __init__(self, size: int = RING_BYTES) -> None:
        self._size = size
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self.last: int | None = None

    @property
    def before(self) -> int | None:
        """Revision just before the oldest frame kept; None before the first."""
        return None if self.last is None else self.last - len(self._frames)

    def add(self, revision: int, frame: bytes) -> None:
        """Add the newest frame. Where revisions were left out, it becomes the only one."""
        if self.last is not None and revision != self.last + 1:
            self.clear()
        self._frames.append(frame)
        self._bytes += len(frame)
        self.last = revision
        while self._bytes > self._size and len(self._frames) > 1:
            self._bytes -= len(self._frames.popleft())

    def clear(self) -> None:
        """Forget all frames and their revisions."""
        self._frames.clear()
        self._bytes = 0
        self.last = None

    def continues(self, revision: int) -> bool:
        """Whether everything added after `revision` is still here."""
        return self.before is None or revision >= self.before

    def after(self, revision: int, room: int) -> list[bytes]:
        """Give frames after `revision`, oldest first: all, or as many as make `room` bytes or more."""
        missing = 0 if self.last is None else self.last - revision
        frames: list[bytes] = []
        if missing <= 0:
            return frames
        for frame in islice(self._frames, len(self._frames) - missing, None):
            if frames and room <= 0:
                break
            room -= len(frame)
            frames.append(frame)
        return frames
