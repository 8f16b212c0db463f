"""The contracts of `DeadLetterStore` and `ReportStore`: kept whole, once each, for whoever opens the store next."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from dynalens.dead_letter import DeadLetter
from dynalens.report import Report
from tests.contract.store_writer import letter
from tests.contract.stores import FULL_STORES, FullStore, full_opener
from tests.contract.together import together

LETTER = letter(1)


Open = Callable[[], FullStore]


@pytest.fixture(params=FULL_STORES)
def reopen(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Open the same store, once more each time; what was opened is closed at the end."""
    open_one = full_opener(request, request.param)
    opened: list[FullStore] = []

    def open_again() -> FullStore:
        opened.append(open_one())
        return opened[-1]

    yield open_again
    for each in opened:
        each.close()


@pytest.fixture
def store(reopen: Open) -> FullStore:
    """An empty store."""
    return reopen()


@pytest.fixture
def beside(store: FullStore, reopen: Open) -> FullStore:
    """The same store, as the server or the command line opens it beside the worker."""
    assert store.letters() == []
    return reopen()


def only(store: FullStore) -> DeadLetter:
    [held] = store.letters()
    return held


# Dead letters.


def test_a_letter_is_kept_whole(store: FullStore) -> None:
    odd = replace(
        LETTER,
        document_id="it's \U0001f701",
        version=(1 << 63) - 1,
        sequence_number="9" * 40,
        record=b'{"dynamodb": "\xff\x00"}',
        message='said "no"\n',
    )
    store.add([odd])
    held = only(store)
    assert held.number > 0
    assert held.stored_at > 0
    assert replace(held, number=0, stored_at=0.0) == odd
    assert store.letter(held.number) == held
    assert store.letter(held.number + 1) is None


def test_a_record_of_any_size_is_kept_whole(store: FullStore) -> None:
    """Two images of 400 KB that nothing compresses, in base64: more than one item holds."""
    records = [random.Random(size).randbytes(size) for size in (0, 256 * 1024, 1_100_000)]  # noqa: S311 - no secret
    letters = [replace(letter(rank), record=record) for rank, record in enumerate(records)]
    store.add([*letters, replace(letters[2], target="search")])
    assert [each.record for each in store.letters()] == [*records, records[2]]
    store.add([replace(letters[2], record=records[1])])
    assert [each.record for each in store.letters()] == [*records[:2], records[1], records[2]]


def test_letters_are_listed_oldest_first(store: FullStore) -> None:
    store.add([letter(rank) for rank in (3, 1)])
    store.add([letter(2)])
    held = store.letters()
    assert [each.document_id for each in held] == ["key-3", "key-1", "key-2"]
    assert sorted({each.number for each in held}) == [each.number for each in held]
    assert store.letters(limit=2) == held[:2]


def test_letters_are_listed_by_state_and_collection(store: FullStore) -> None:
    store.add([letter(1), letter(2), replace(letter(3), collection="refunds")])
    first = store.letters()[0]
    store.request_redrive([first.number])
    assert [each.document_id for each in store.letters(state="redrive")] == ["key-1"]
    assert [each.document_id for each in store.letters(state="waiting")] == ["key-2", "key-3"]
    assert [each.document_id for each in store.letters(collection="refunds")] == ["key-3"]
    assert [each.document_id for each in store.letters(state="waiting", collection="donations")] == ["key-2"]
    assert store.letters(state="done") == []


def test_letters_are_listed_by_table_and_target(store: FullStore) -> None:
    store.add([letter(1), replace(letter(2), target="search"), replace(letter(3), table="Others")])
    assert [each.document_id for each in store.letters(target="search")] == ["key-2"]
    assert [each.document_id for each in store.letters(table="Others", limit=1)] == ["key-3"]
    assert store.letters(table="Others", target="search") == []


def test_the_same_change_is_stored_once_for_each_target_and_collection(store: FullStore) -> None:
    others = [
        replace(LETTER, target="metrics"),
        replace(LETTER, collection="refunds"),
        replace(LETTER, table="People"),
        replace(LETTER, sequence_number=str(10**20 + 2)),
    ]
    for _ in range(3):
        store.add([LETTER, *others])
        store.add([LETTER, LETTER])
    assert len(store.letters()) == 5


def test_a_change_refused_again_takes_its_newest_version(store: FullStore) -> None:
    """Replayed, the changes before it have higher versions too: with its old one, a redrive would lose to them."""
    store.add([LETTER])
    number = only(store).number
    replayed = replace(LETTER, version=LETTER.version + (1 << 32), code="too_long", message="newer words")
    store.add([replayed])
    held = only(store)
    assert (held.number, held.version) == (number, replayed.version)
    assert (held.code, held.message) == ("too_long", "newer words")


@pytest.mark.parametrize("settled", ["redrive", "done"])
def test_a_change_refused_again_waits_again(store: FullStore, settled: str) -> None:
    store.add([LETTER])
    store.request_redrive(None)
    if settled == "done":
        store.settle(only(store).number)
    assert only(store).state == settled
    store.add([replace(LETTER, version=LETTER.version + (1 << 32))])
    assert only(store).state == "waiting"


def test_rows_of_a_scan_have_no_sequence_number_and_stay_apart(store: FullStore) -> None:
    rows = [replace(letter(rank), sequence_number="", partition="scan-s1-0", version=0) for rank in (1, 2)]
    store.add([*rows, *rows])
    assert [each.document_id for each in store.letters()] == ["key-1", "key-2"]


def test_records_of_which_nothing_could_be_read_stay_apart(store: FullStore) -> None:
    """Such a record has no id and no sequence number: what tells it from another is the record itself."""
    unreadable = replace(LETTER, collection="", document_id="", sequence_number="")
    records = [b'{"eventName": "ODD"}', b'{"eventName": "ODDER"}']
    store.add([replace(unreadable, record=record) for record in records])
    assert [each.record for each in store.letters()] == records


def test_a_redrive_is_asked_for_by_number_or_for_all_that_wait(store: FullStore) -> None:
    store.add([letter(rank) for rank in range(1, 5)])
    first, second, *_ = (each.number for each in store.letters())
    assert store.request_redrive([first, second, 999]) == 2
    assert store.request_redrive([first]) == 0
    assert store.request_redrive([]) == 0
    assert store.request_redrive(None) == 2
    assert len(store.letters(state="redrive")) == 4


def test_whoever_asks_for_a_redrive_raises_the_revision_of_its_table(store: FullStore) -> None:
    store.add([letter(1), replace(letter(2), table="People")])
    first, second = (each.number for each in store.letters())
    assert (store.revision("Donations"), store.revision("People")) == (0, 0)
    store.request_redrive([second])
    asked = store.revision("People")
    assert (store.revision("Donations"), asked > 0) == (0, True)
    store.request_redrive([second, 999])
    assert (store.revision("Donations"), store.revision("People")) == (0, asked)
    store.request_redrive(None)
    assert store.revision("Donations") > 0
    before = store.revision("Donations")
    store.settle(first)
    store.add([replace(letter(3), state="redrive")])
    assert store.revision("Donations") > before


def test_a_redrive_ends_done_or_waiting_with_its_new_reason(store: FullStore) -> None:
    store.add([letter(1), letter(2)])
    store.request_redrive(None)
    first, second = store.letters()
    store.settle(first.number)
    store.settle(second.number, code="still_refused", message="and why")
    assert [(each.state, each.code) for each in store.letters()] == [("done", "refused"), ("waiting", "still_refused")]
    assert store.letters(state="waiting")[0].message == "and why"
    assert store.request_redrive(None) == 1
    assert store.letters(state="done")[0].number == first.number


def test_what_waits_is_counted_by_table_target_and_collection(store: FullStore) -> None:
    assert store.waiting_counts() == {}
    store.add([letter(1), letter(2), replace(LETTER, target="metrics"), replace(LETTER, collection="")])
    assert store.waiting_counts() == {
        ("Donations", "sql", "donations"): 2,
        ("Donations", "metrics", "donations"): 1,
        ("Donations", "sql", ""): 1,
    }
    store.request_redrive(None)
    for each in store.letters(collection="donations"):
        store.settle(each.number)
    assert store.waiting_counts() == {("Donations", "sql", ""): 1}


def test_letters_outlive_a_restart_and_numbers_go_on_rising(store: FullStore, reopen: Open) -> None:
    store.add([letter(1), letter(2)])
    before = store.letters()
    store.close()
    again = reopen()
    again.add([letter(3)])
    assert again.letters()[:2] == before
    assert again.letters()[2].number > before[1].number


def test_a_redrive_asked_for_beside_the_worker_is_seen_by_it(store: FullStore, beside: FullStore) -> None:
    store.add([LETTER])
    assert beside.waiting_counts() == {("Donations", "sql", "donations"): 1}
    assert beside.request_redrive(None) == 1
    assert only(store).state == "redrive"
    store.settle(only(store).number)
    assert only(beside).state == "done"


def test_letters_are_added_redriven_and_settled_at_once(store: FullStore, beside: FullStore) -> None:
    added = threading.Event()

    def add() -> None:
        for rank in range(1, 61):
            store.add([letter(rank)])
        added.set()

    def ask() -> None:
        while not added.is_set() or beside.letters(state="waiting"):
            beside.request_redrive(None)

    def settle() -> None:
        while not added.is_set() or len(store.letters(state="done")) < 60:
            for each in store.letters(state="redrive"):
                store.settle(each.number)

    together(add, ask, settle)
    assert [each.state for each in beside.letters(limit=1000)] == ["done"] * 60


# Reports.

REPORT = Report(
    table="Donations",
    target="sql",
    written_at=1_700_000_000.25,
    polled_at=2.5,
    waiting=3,
    caught_up=True,
    error_code="x",
)


def test_the_newest_report_of_each_table_target_and_worker_is_kept(store: FullStore, beside: FullStore) -> None:
    others = [replace(REPORT, target="metrics"), replace(REPORT, table="People"), replace(REPORT, worker="w2")]
    for report in (REPORT, *others):
        store.save_report(report)
    newer = replace(REPORT, written_at=REPORT.written_at + 1, caught_up=False, error_message='it\'s "odd"\n')
    store.save_report(newer)
    assert sorted(beside.reports(), key=str) == sorted([newer, *others], key=str)


def test_reports_outlive_a_restart(store: FullStore, reopen: Open) -> None:
    assert store.reports() == []
    store.save_report(REPORT)
    store.close()
    again = reopen()
    assert again.reports() == [REPORT]
