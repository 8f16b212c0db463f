"""Cells over odd items, other streams and late writes: faults 16, 17, 18 and 27."""

from __future__ import annotations

from functools import partial

from tests.contract.hostile import ATTRIBUTES
from tests.faults import child
from tests.faults.rig import Rig

ITEM_BYTES = 400 * 1024
"""The largest item that DynamoDB takes ("Service, account, and table quotas")."""


def odd_items(rig: Rig) -> None:
    """Whatever a table can hold is put, changed and deleted, up to 400 KB, and the rest goes on."""
    rig.emulate()
    # No client can send half of a character, and the emulator refuses names that are empty.
    odd = [*(name for name in ATTRIBUTES if "lone surrogate" not in name and "hostile nested" not in name)]
    rig.write(1, 20)
    rig.start()
    for name in rig.random.sample(odd, len(odd)):
        # The item itself is the first of the 32 levels.
        attributes = ATTRIBUTES[name]["deep"]["M"] if name == "32 levels" else ATTRIBUTES[name]
        rig.perform(rig.writes.put(f"odd {name}", **{name: value for name, value in attributes.items() if name}))
        if rig.random.random() < 0.2:
            rig.perform(rig.writes.delete(f"odd {name}"))
    rig.perform(rig.writes.put("large", text={"S": "x" * (ITEM_BYTES - 2048)}))
    rig.write(1, 20)
    rig.settle()
    assert rig.generations() == {1}


def undecodable_records(rig: Rig) -> None:
    """A record that nobody can read is a dead letter, whole, and what is behind it in its shard is applied."""
    rig.write(1, 20)
    rig.start()
    poisoned = 0
    for _ in rig.rounds(1, 5):
        rig.write(1, 20)
        record = rig.streams.record("INSERT", {"id": {"S": "poison"}}, new={"id": {"N": "not a number"}})
        rig.streams.append(rig.some_shard(), record)
        poisoned += 1
        rig.write(1, 20)
    rig.settle()
    assert rig.state.dead_letters.get("", 0) == poisoned
    assert rig.generations() == {1}


def stream_is_turned_off_and_on(rig: Rig) -> None:
    """The stream is turned off, items are written, and another stream is turned on: a gap."""
    table = rig.emulate()
    rig.write(5, 30)
    rig.start()
    rig.catch_up()
    rig.write(0, 20)
    table.turn_stream_off()
    rig.write(5, 30)
    table.turn_stream_on()
    rig.write(0, 20)
    rig.observe(lambda _: min(rig.generations()) > 1)
    rig.settle()


def table_is_created_anew(rig: Rig) -> None:
    """The table is deleted and created again: what was in it before is gone from every target."""
    table = rig.emulate()
    rig.write(5, 30)
    rig.start()
    rig.catch_up()
    rig.write(0, 20)
    table.delete()
    table.create()
    rig.writes.forget()
    rig.write(0, 30)
    rig.observe(lambda _: min(rig.generations()) > 1)
    rig.settle()


def late_writes(rig: Rig) -> None:
    """Puts that are older than a delete arrive after it, when the target was closed and opened, and swept, since."""
    rig.load(10, 24)
    rig.start()
    for _ in rig.rounds(1, 3):
        rig.write(5, 40)
        for id_ in rig.writes.live():
            if rig.random.random() < 0.4:
                rig.perform(rig.writes.delete(id_))
        rig.catch_up()
        if rig.random.random() < 0.7:
            rig.kill()
            rig.start()
            rig.catch_up()
        records = [rig.streams.record("INSERT", {"id": item["id"]}, new=item) for item in rig.writes.deleted()]
        rig.process.ask(partial(child.write_late, records=records))
        rig.kill()
        rig.start()
    rig.write(0, 20)
    rig.settle()
    assert rig.generations() == {1}
