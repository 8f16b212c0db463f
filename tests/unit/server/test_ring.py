from __future__ import annotations

from dynalens.server.ring import Ring

ROOM = 1 << 20


def filled(*revisions: int, size: int = 1000) -> Ring:
    ring = Ring(size)
    for revision in revisions:
        ring.add(revision, b"%d" % revision)
    return ring


def test_an_empty_ring_continues_from_anywhere_and_gives_nothing() -> None:
    ring = Ring()
    assert (ring.last, ring.before) == (None, None)
    assert ring.continues(7)
    assert ring.after(7, ROOM) == []


def test_it_gives_what_came_after_a_revision_oldest_first() -> None:
    ring = filled(4, 5, 6)
    assert ring.after(4, ROOM) == [b"5", b"6"]
    assert ring.after(3, ROOM) == [b"4", b"5", b"6"]


def test_it_gives_nothing_to_whoever_is_ahead_of_it() -> None:
    ring = filled(4, 5, 6)
    assert ring.continues(9)
    assert ring.after(6, ROOM) == []
    assert ring.after(9, ROOM) == []


def test_the_oldest_frames_leave_when_it_is_full() -> None:
    ring = filled(1, 2, 3, 4, 5, size=3)
    assert ring.before == 2
    assert ring.continues(2)
    assert not ring.continues(1)
    assert ring.after(2, ROOM) == [b"3", b"4", b"5"]


def test_a_frame_larger_than_the_ring_is_kept_alone() -> None:
    ring = filled(1, size=3)
    ring.add(2, b"far too large")
    assert ring.after(1, ROOM) == [b"far too large"]
    assert not ring.continues(0)


def test_revisions_left_out_leave_only_the_newest_frame() -> None:
    ring = filled(1, 2, 9)
    assert not ring.continues(2)
    assert ring.after(8, ROOM) == [b"9"]


def test_room_limits_what_it_gives_and_less_than_that_is_all() -> None:
    ring = filled(10, 11, 12)
    assert ring.after(9, 1) == [b"10"]
    assert ring.after(9, 3) == [b"10", b"11"]
    assert ring.after(9, 4) == [b"10", b"11"]
    assert ring.after(9, 7) == [b"10", b"11", b"12"]


def test_cleared_it_forgets_revisions_too() -> None:
    ring = filled(5)
    ring.clear()
    ring.add(1, b"1")
    assert ring.after(0, ROOM) == [b"1"]
