"""`dynalens up` killed at its worst moments, over real engines: afterwards everything equals the table."""

from __future__ import annotations

import httpx2
import pytest

from dynalens import failpoint
from tests.crash.donors import TABLE, Donors, assert_equal_in_the_end
from tests.donations import donation
from tests.services.dynamodb_local import DynamoDBLocal
from tests.up import Up
from tests.waiting import observed


def confirmed(up: Up) -> int:
    """Give how many changes the slowest target has confirmed since the process started."""
    counts = [
        float(line.rpartition(" ")[2])
        for line in up.client.get("/metrics").text.splitlines()
        if line.startswith("dynalens_confirmed_changes_total{")
    ]
    return int(min(counts, default=0.0))


@pytest.mark.timeout(600)
def test_a_table_that_is_written_while_dynalens_is_killed_twice(emulator: DynamoDBLocal, up: Up) -> None:
    client = emulator.client("dynamodb")
    donors = Donors(client, seed=7, donors=10_500)
    donors.fill(10_000)
    up.start()
    donors.act(700)
    observed(lambda: confirmed(up) > 2_000)
    up.kill()
    donors.act(600)
    up.start()
    donors.act(700)
    observed(lambda: confirmed(up) > 200)
    up.kill()
    up.start()
    assert_equal_in_the_end(client, up)


# A dead letter is stored only when a target refuses something; that moment has a test of its own.
@pytest.mark.parametrize("moment", sorted(failpoint.NAMES - {failpoint.DEAD_LETTER_STORED}))
def test_killed_at(moment: str, emulator: DynamoDBLocal, up: Up) -> None:
    client = emulator.client("dynamodb")
    donors = Donors(client, seed=len(moment), donors=60)
    donors.fill(40)
    donors.act(20)
    up.start(DYNALENS_FAILPOINTS=f"{moment}=kill:2")
    donors.act(60)
    observed(lambda: up.exit_code is not None or up.is_ready(), ignoring=httpx2.TransportError)
    if up.exit_code is None:
        # Nothing more was due of this moment; the next change brings it.
        donors.act(30)
    observed(lambda: up.exit_code is not None)
    assert up.exit_code == -9
    donors.act(20)
    up.start()
    assert_equal_in_the_end(client, up)


def test_killed_right_after_a_dead_letter_was_stored(emulator: DynamoDBLocal, up: Up) -> None:
    client = emulator.client("dynamodb")
    up.start(DYNALENS_FAILPOINTS=f"{failpoint.DEAD_LETTER_STORED}=kill")
    observed(up.is_ready)
    client.put_item(TableName=TABLE, Item=donation(1, amount="1.005"))
    observed(lambda: up.exit_code is not None)
    up.start()
    observed(up.is_ready)
    observed(lambda: len(up.get("/api/v1/dead-letters")["dead_letters"]) == 1)
    client.put_item(TableName=TABLE, Item=donation(1, amount="1"))
    assert_equal_in_the_end(client, up)
