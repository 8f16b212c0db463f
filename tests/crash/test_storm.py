"""`dynalens up` under two SIGKILLs a second, while its table is written; `make soak` does it for a minute."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from threading import Event

import pytest

from tests.crash.donors import Donors, assert_equal_in_the_end
from tests.services.dynamodb_local import DynamoDBLocal
from tests.up import Up

SECONDS = 20.0
KILLS_PER_SECOND = 2


@pytest.mark.timeout(600)
def test_everything_is_equal_after_two_kills_a_second(
    emulator: DynamoDBLocal, up: Up, record_property: Callable[[str, object], None]
) -> None:
    client = emulator.client("dynamodb")
    donors = Donors(client, seed=17, donors=300)
    donors.fill(200)
    chosen = random.Random(17)  # noqa: S311 - a test that can be repeated
    began, kills, answered = time.monotonic(), 0, 0
    while (elapsed := time.monotonic() - began) < SECONDS:
        up.launch()
        # Most die while they start; some live until they get somewhere.
        is_behind = kills < elapsed * KILLS_PER_SECOND
        until = time.monotonic() + (chosen.uniform(0.0, 0.3) if is_behind else chosen.uniform(0.3, 6.0))
        while (left := until - time.monotonic()) > 0:
            donors.act(2)
            Event().wait(min(left, 0.05))
        answered += up.answers()
        up.kill()
        kills += 1
    healed = time.monotonic()
    up.start()
    assert_equal_in_the_end(client, up)
    record_property(
        "measured",
        f"storm: {kills} SIGKILLs in {elapsed:.0f} s, {answered} of the processes answered before theirs, "
        f"equal {time.monotonic() - healed:.1f} s after the last",
    )
    assert kills
