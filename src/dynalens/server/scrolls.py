"""Scrolls: collections held as they were at one moment, which clients read page by page.

Source: "Paginate search results", "Scroll search results" in the Elasticsearch reference. A place moves on only once a
page was answered: a page that failed or took too long is given again.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from dynalens.errors import BusyError, NotFoundError, QueryLimitError, RequestError
from dynalens.search import ID, SCORE, SearchAnswer, SearchRequest, SortKey
from dynalens.search.dsl import Body
from dynalens.server.limits import SCROLL_SECONDS, SCROLLS
from dynalens.target import SearchReader, SearchSnapshot

_ID_BYTES = 32
_KEEP_ALIVE = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def keep_alive_seconds(text: str) -> float:
    """Read how long a scroll is kept, such as `5m` ("Time units", Elasticsearch reference), in seconds.

    Raises:
        RequestError: It is no length of time.
        QueryLimitError: It is longer than a scroll may be kept.
    """
    written = _KEEP_ALIVE.fullmatch(text)
    if written is None or not int(written[1]):
        raise RequestError(
            f"scroll: {text[:60]!r} is no length of time.", hint="Write a number and a unit, ms, s, m or h: scroll=5m"
        )
    seconds = int(written[1]) * _SECONDS[written[2]]
    if seconds > SCROLL_SECONDS:
        raise QueryLimitError(
            f"scroll: {text} is longer than a scroll is kept (limit: {SCROLL_SECONDS:g} s).",
            hint="Write a shorter one, such as scroll=5m: it counts anew with every page.",
        )
    return seconds


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a scroll.

    Attributes:
        scroll_id: The scroll.
        collection: The collection that it reads.
        asked: What was asked when it was opened.
        answer: The hits of this page.
        following: The request of the next page.
    """

    scroll_id: str
    collection: str
    asked: Body
    answer: SearchAnswer
    following: SearchRequest


@dataclass(slots=True)
class _Scroll:
    collection: str
    asked: Body
    snapshot: SearchSnapshot
    request: SearchRequest
    keep_seconds: float
    expires_at: float
    in_use: bool = False


class Scrolls:
    """The scrolls that are open. Everything but `turn` blocks on the target, and may be called from any thread.

    Args:
        reader: The target.
        limit: How many may be open at once.
        clock: Seconds that never go back.
    """

    def __init__(
        self, reader: SearchReader, *, limit: int = SCROLLS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reader = reader
        self._limit = limit
        self._clock = clock
        self._scrolls: dict[str, _Scroll] = {}
        self._lock = threading.Lock()

    def open(self, collection: str, asked: Body, keep_seconds: float) -> Page:
        """Hold a collection as it is now and read the first page.

        Raises:
            RequestError: It is asked for together with what scrolls cannot do.
            BusyError: As many scrolls are open as there may be.
            DynalensError: As `SearchReader.search`.
        """
        request = _paged(asked.request)
        self.sweep()
        snapshot = self._reader.snapshot(collection)
        try:
            answer = snapshot.search(request)
            expires_at = self._clock() + keep_seconds
            scroll_id = self._enter(_Scroll(collection, asked, snapshot, request, keep_seconds, expires_at))
        except BaseException:
            snapshot.close()
            raise
        return Page(scroll_id, collection, asked, answer, _following(request, answer))

    def read(self, scroll_id: str, keep_seconds: float | None = None) -> Page:
        """Read the next page, and keep the scroll for as long again (`keep_seconds`: for as long from now on).

        Raises:
            NotFoundError: There is no such scroll, or not any more.
            BusyError: Another page of it is being read.
            DynalensError: As `SearchReader.search`.
        """
        self.sweep()
        with self._use(scroll_id) as scroll:
            if keep_seconds is not None:
                scroll.keep_seconds = keep_seconds
            request = scroll.request
            answer = scroll.snapshot.search(request)
            return Page(scroll_id, scroll.collection, scroll.asked, answer, _following(request, answer))

    def turn(self, page: Page) -> None:
        """Go on behind a page, once it is answered."""
        with self._lock:
            scroll = self._scrolls.get(page.scroll_id)
            if scroll is not None:
                scroll.request = page.following

    def close(self, scroll_ids: Sequence[str]) -> int:
        """Close scrolls; return how many there were."""
        with self._lock:
            closed = [scroll for each in scroll_ids if (scroll := self._scrolls.pop(each, None))]
            idle = [scroll.snapshot for scroll in closed if not scroll.in_use]  # else whoever reads it closes it
        for snapshot in idle:
            snapshot.close()
        return len(closed)

    def close_all(self) -> None:
        """Close every scroll: the server ends."""
        self.close(list(self._scrolls))

    def sweep(self) -> None:
        """Close the scrolls whose time is over."""
        now = self._clock()
        with self._lock:
            expired = [
                self._scrolls.pop(scroll_id).snapshot
                for scroll_id, scroll in list(self._scrolls.items())
                if scroll.expires_at <= now and not scroll.in_use
            ]
        for snapshot in expired:
            snapshot.close()

    def _enter(self, scroll: _Scroll) -> str:
        with self._lock:
            if len(self._scrolls) >= self._limit:
                raise BusyError(
                    f"{self._limit} scrolls are open already (limit: {self._limit}).",
                    hint="Close those that are read to their end: DELETE /_search/scroll. Others end with their time.",
                )
            scroll_id = secrets.token_urlsafe(_ID_BYTES)
            self._scrolls[scroll_id] = scroll
            return scroll_id

    @contextmanager
    def _use(self, scroll_id: str) -> Iterator[_Scroll]:
        with self._lock:
            scroll = self._scrolls.get(scroll_id)
            if scroll is None:
                raise NotFoundError(
                    "There is no such scroll, or its time is over.",
                    hint="Search again with a longer time, such as ?scroll=5m, and use the _scroll_id of that answer.",
                )
            if scroll.in_use:
                raise BusyError("A page of this scroll is being read.", hint="Ask for one page after the other.")
            scroll.in_use = True
        try:
            yield scroll
        finally:
            with self._lock:
                scroll.in_use = False
                scroll.expires_at = self._clock() + scroll.keep_seconds
                closed = scroll_id not in self._scrolls
            if closed:
                scroll.snapshot.close()


def _paged(request: SearchRequest) -> SearchRequest:
    """Make the request of the first page: in an order that the next pages can go on in."""
    for given, name, instead in (
        (request.offset, "from", "A scroll begins at the first hit."),
        (request.after, "search_after", "Ask for the next page by its scroll_id."),
        (not request.size, "size: 0", "Write the hits of one page, or leave out scroll."),
    ):
        if given:
            raise RequestError(f"{name} cannot stand beside scroll.", hint=instead)
    if not _goes_by_values(request):
        return request
    if any(key.field == ID for key in request.sort):
        return request
    return replace(request, sort=(*request.sort, SortKey(ID)))


def _goes_by_values(request: SearchRequest) -> bool:
    """Whether pages can go on behind the last hit's values: scores are no values to go on behind."""
    return bool(request.sort) and all(key.field != SCORE for key in request.sort)


def _following(request: SearchRequest, answer: SearchAnswer) -> SearchRequest:
    # The first page has the aggregations ("Scroll search results", Elasticsearch reference).
    request = replace(request, aggregations=())
    if not answer.hits:
        return request
    if _goes_by_values(request):
        return replace(request, after=answer.hits[-1].sort)
    return replace(request, offset=request.offset + len(answer.hits))
