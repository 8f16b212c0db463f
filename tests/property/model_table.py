"""The table of the model: its items, its streams with their shards, and which state of an item each record tells of."""

from __future__ import annotations

from collections.abc import Sequence

from dynalens.change import Change, KeySchema, Typed
from dynalens.partition import START, Partition
from dynalens.testing.memory import ManualClock, MemoryScan, MemorySource

TABLE = "Donations"
KEYS = ("a", "b")


class ScriptedTable:
    """A table that is written, whose shards roll over, and whose stream is turned off and on."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.source = MemorySource(TABLE, KeySchema(("id",)), page_size=2, clock=self.clock)
        self.source.preload(item("a", 0))
        self.shards: list[Partition] = []
        self.streams: dict[str, str] = {}
        """The stream of each shard."""
        self.open_shards: dict[str, tuple[str, ...]] = {}
        self.written = 0
        self.states: dict[int, int] = {}
        """The state that each record tells of, by sequence number: states are counted over the whole table."""
        self.shard_of_record: dict[int, str] = {}
        self.stream = ""
        self.replica: Sequence[Change] = ()
        """What a replica holds that gives whose last writes it has not heard of."""
        self._turn_on("stream-1")

    def put(self, key: str) -> None:
        """Write a state that no item had before."""
        self.written += 1
        self.source.put(self.shard_of(key), item(key, self.written))
        self._note_record(key)

    def delete(self, key: str) -> None:
        """Delete an item, if it exists."""
        self.written += 1
        self.source.delete(self.shard_of(key), item(key, 0))
        self._note_record(key)

    def _note_record(self, key: str) -> None:
        self.states.setdefault(self.source._sequence, self.written)
        self.shard_of_record.setdefault(self.source._sequence, self.shard_of(key))

    def roll_over(self, shard: str, children: int) -> None:
        """Close a shard; one child takes all its keys, or two share them."""
        keys = self.open_shards.pop(shard)
        self.source.end(shard)
        for number in range(children):
            self._open(keys[number::children], parents=[shard])

    def switch_stream(self, key: str, *, delete: bool = False) -> None:
        """Turn the stream off, write or delete an item that no stream tells of, and turn it on again: another one."""
        for shard in list(self.open_shards):
            self.source.end(shard)
        self.open_shards.clear()
        self.written += 1
        if delete:
            self.source._items.pop(key, None)
        else:
            self.source.preload(item(key, self.written))
        self._turn_on(f"stream-{int(self.stream[-1]) + 1}")

    def _turn_on(self, stream: str) -> None:
        self.stream = stream
        self._open(KEYS, parents=[])
        self.let_replicas_hear()

    def let_replicas_hear(self) -> None:
        """Let a moment pass: an eventually consistent read gives what the table holds now."""
        scan = MemoryScan(self.source, "replica", 1, page_size=100)
        self.replica = scan.open(scan.discover()[0], START).read().changes

    def _open(self, keys: tuple[str, ...], parents: list[str]) -> None:
        name = f"s{len(self.shards)}"
        self.shards.append(self.source.add_shard(name, parents=parents))
        self.streams[name] = self.stream
        self.open_shards[name] = keys

    def lineage(self, shard: str) -> list[str]:
        """Give the shards that a shard came from, oldest first, and itself."""
        [parents] = [each.parents for each in self.shards if each.id == shard]
        return [older for parent in parents for older in self.lineage(parent)] + [shard]

    def shard_of(self, key: str) -> str:
        """Give the open shard that an item's changes go to."""
        return next(shard for shard, keys in self.open_shards.items() if key in keys)


def item(key: str, n: int) -> dict[str, Typed]:
    """Make an item whose state `n` tells."""
    return {"id": {"S": key}, "n": {"N": str(n)}}
