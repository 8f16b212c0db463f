from __future__ import annotations

import resource

import pytest

from dynalens.server.descriptors import room_for_viewers
from dynalens.server.limits import SPARE_DESCRIPTORS, VIEWERS

ENOUGH = VIEWERS + SPARE_DESCRIPTORS


@pytest.mark.parametrize(
    ("soft", "hard", "raised_to", "room"),
    [
        (1024, 1 << 20, ENOUGH, VIEWERS),
        (1024, resource.RLIM_INFINITY, ENOUGH, VIEWERS),
        (1024, 4096, 4096, 4096 - SPARE_DESCRIPTORS),
        (256, 256, 256, 1),
        (1 << 20, 1 << 20, None, VIEWERS),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None, VIEWERS),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_viewers_need_and_the_hard_limit_lets(
    soft: int, hard: int, raised_to: int | None, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda *arguments: raised.append(arguments))
    assert room_for_viewers() == room
    assert raised == ([] if raised_to is None else [(resource.RLIMIT_NOFILE, (raised_to, hard))])
