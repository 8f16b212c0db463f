from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from dynalens.errors import BusyError, NotFoundError, QueryLimitError, RequestError, TargetError
from dynalens.search import ID, SCORE, SortKey
from dynalens.search.dsl import Body, read_body
from dynalens.server.limits import SCROLL_SECONDS
from dynalens.server.scrolls import Page, Scrolls, keep_alive_seconds
from tests.fake_search import FakeSearch
from tests.waiting import observed

DOCUMENTS = 7
NAMES = [f"d{number}" for number in range(DOCUMENTS)]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def search() -> FakeSearch:
    search = FakeSearch()
    for number, name in enumerate(NAMES):
        search.put("images", name, b'{"n":%d,"even":%s}' % (number, b"false" if number % 2 else b"true"))
    return search


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scrolls(search: FakeSearch, clock: Clock) -> Scrolls:
    return Scrolls(search, limit=2, clock=clock)


def asked(**request: object) -> Body:
    return read_body({"size": 3, **request})


def pages(scrolls: Scrolls, first: Page) -> Iterator[list[str]]:
    """Read a scroll to its end, page by page, as ids."""
    page = first
    for _ in range(DOCUMENTS):
        if not page.answer.hits:
            return
        scrolls.turn(page)
        yield [hit.id for hit in page.answer.hits]
        page = scrolls.read(first.scroll_id)
    pytest.fail("The scroll does not end.")


@pytest.mark.parametrize(
    ("text", "seconds"), [("5m", 300), ("30s", 30), ("1h", 3600), ("1500ms", 1.5), ("3600000ms", 3600)]
)
def test_how_long_a_scroll_is_kept(text: str, seconds: float) -> None:
    assert keep_alive_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "0s", "-1m", "1.5m", "5 m", "5m ", "٥m", "1w", "9" * 5000 + "s"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(RequestError) as refused:
        keep_alive_seconds(text)
    assert "scroll=5m" in refused.value.hint
    assert len(refused.value.message) < 150


@pytest.mark.parametrize("text", ["61m", "1d", "3600001ms"])
def test_a_scroll_is_not_kept_forever(text: str) -> None:
    with pytest.raises(QueryLimitError, match=rf"limit: {SCROLL_SECONDS:g} s"):
        keep_alive_seconds(text)


@pytest.mark.parametrize(
    ("sort", "following", "after"),
    [
        (["_doc"], (SortKey(ID),), True),
        ([{"even": "asc"}], (SortKey("even"), SortKey(ID)), True),
        ([], (), False),
        (["_score", {"n": "asc"}], (SortKey(SCORE), SortKey("n")), False),
    ],
)
def test_a_scroll_gives_every_document_once(
    sort: list[object], following: tuple[SortKey, ...], *, after: bool, scrolls: Scrolls, search: FakeSearch
) -> None:
    read = list(pages(scrolls, scrolls.open("images", asked(sort=sort), 60)))
    assert [len(page) for page in read] == [3, 3, 1]
    assert sorted(name for page in read for name in page) == NAMES
    assert {request.sort for request in search.asked} == {following}
    # Going on behind values costs the same for every page; an offset costs more with each, and needs no values.
    assert [bool(request.after) for request in search.asked] == [False, after, after, after]
    assert [request.offset for request in search.asked] == ([0] * 4 if after else [0, 3, 6, 7])


def test_a_scroll_does_not_see_what_is_written_after_it_began(scrolls: Scrolls, search: FakeSearch) -> None:
    first = scrolls.open("images", asked(), 60)
    search.put("images", "new", b'{"n":99}')
    del search.documents["images"]["d6"]
    assert sorted(name for page in pages(scrolls, first) for name in page) == NAMES


def test_a_page_that_failed_is_given_again(scrolls: Scrolls, search: FakeSearch) -> None:
    first = scrolls.open("images", asked(), 60)
    scrolls.turn(first)
    search.failure = TargetError("gone")
    with pytest.raises(TargetError):
        scrolls.read(first.scroll_id)
    search.failure = None
    lost = scrolls.read(first.scroll_id)  # nobody got it: its place is not left
    assert [hit.id for hit in scrolls.read(first.scroll_id).answer.hits] == [hit.id for hit in lost.answer.hits]
    scrolls.turn(lost)
    assert [hit.id for hit in scrolls.read(first.scroll_id).answer.hits] == ["d6"]


def test_one_scroll_too_many_is_refused_with_the_limit_and_holds_nothing(scrolls: Scrolls, search: FakeSearch) -> None:
    opened = [scrolls.open("images", asked(), 60) for _ in range(2)]
    with pytest.raises(BusyError, match="limit: 2"):
        scrolls.open("images", asked(), 60)
    assert search.held() == 2
    assert scrolls.close([opened[0].scroll_id, "another's"]) == 1
    assert search.held() == 1
    assert scrolls.open("images", asked(), 60).answer.total == DOCUMENTS


def test_a_scroll_whose_first_search_fails_holds_nothing(scrolls: Scrolls, search: FakeSearch) -> None:
    gone = search.snapshot

    def fail(collection: str) -> object:
        search.failure = None
        taken = gone(collection)
        search.failure = TargetError("gone")
        return taken

    search.snapshot = fail  # type: ignore[method-assign,assignment]
    with pytest.raises(TargetError):
        scrolls.open("images", asked(), 60)
    assert (len(search.snapshots), search.held()) == (1, 0)


def test_a_scroll_ends_with_its_time_which_counts_anew_with_every_page(
    scrolls: Scrolls, search: FakeSearch, clock: Clock
) -> None:
    first = scrolls.open("images", asked(), 60)
    for keep, later in ((None, 59), (10, 118), (None, 127)):
        clock.now = later
        scrolls.turn(scrolls.read(first.scroll_id, keep))
    clock.now = 137
    assert search.held() == 1
    with pytest.raises(NotFoundError, match="its time is over") as refused:
        scrolls.read(first.scroll_id)
    assert "?scroll=5m" in refused.value.hint
    assert search.held() == 0


def test_whoever_opens_a_scroll_closes_those_whose_time_is_over(
    scrolls: Scrolls, search: FakeSearch, clock: Clock
) -> None:
    for _ in range(2):
        scrolls.open("images", asked(), 60)
    clock.now = 60
    scrolls.open("images", asked(), 60)
    assert (len(search.snapshots), search.held()) == (3, 1)


def test_one_page_is_read_at_a_time_and_a_scroll_closed_meanwhile_ends_behind_it(
    scrolls: Scrolls, search: FakeSearch, clock: Clock
) -> None:
    first = scrolls.open("images", asked(), 60)
    search.gate.clear()
    read: list[Page] = []
    reading = threading.Thread(target=lambda: read.append(scrolls.read(first.scroll_id)))
    reading.start()
    observed(lambda: len(search.asked) == 2)
    with pytest.raises(BusyError, match="being read"):
        scrolls.read(first.scroll_id)
    clock.now = 1000
    scrolls.sweep()  # what is being read is not over
    assert scrolls.close([first.scroll_id]) == 1
    assert search.held() == 1
    search.gate.set()
    reading.join(30)
    assert read[0].answer.total == DOCUMENTS
    assert [snapshot.closed for snapshot in search.snapshots] == [1]


def test_the_end_closes_everything(scrolls: Scrolls, search: FakeSearch) -> None:
    scrolls.open("images", asked(), 60)
    scrolls.close_all()
    assert search.held() == 0


def test_ids_cannot_be_guessed(scrolls: Scrolls) -> None:
    ids = {scrolls.open("images", asked(), 60).scroll_id for _ in range(2)}
    assert {len(scroll_id) for scroll_id in ids} == {43}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("beside", "named"),
    [({"from": 1}, "from"), ({"search_after": ["d1"], "sort": ["_doc"]}, "search_after"), ({"size": 0}, "size: 0")],
)
def test_what_scrolls_cannot_do_is_refused_by_name(
    beside: dict[str, object], named: str, scrolls: Scrolls, search: FakeSearch
) -> None:
    with pytest.raises(RequestError, match=f"{named} cannot stand beside scroll"):
        scrolls.open("images", asked(**beside), 60)
    assert search.snapshots == []
