"""A fleet: workers that share the shards of their tables through one store, each with a fair share of them.

One request a quarter of a second tells each worker who lives and what changed; leases themselves are read again only
when something did, so that quiet shards cost nothing. Leases save work. What holds is the epoch that is drawn for each
partition (`docs/correctness.md`), so a worker that does not know yet that it lost one does no harm.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from dynalens.errors import DynalensError, StaleLeaseError
from dynalens.partition import Partition
from dynalens.position import Fleet, PositionStore, Pulse

log = logging.getLogger(__name__)

LEASE_SECONDS = 10.0
"""A worker that was not seen to beat for so long has lost its leases."""
BEAT_SECONDS = 2.0
PULSE_SECONDS = 0.25
LEADER = Partition("leader")
"""Not a partition of any stream: whoever holds its lease leads the table."""


def _awake() -> float:
    """Give seconds that never go back, and that pass while the machine is suspended too (clock_gettime(2))."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Membership:
    """This worker among the others: shows that it lives, and sees who else does.

    Args:
        fleet: What the workers share.
        worker: This worker's name.
        clock: Seconds that never go back, and that pass while the machine sleeps.
    """

    def __init__(self, fleet: Fleet, worker: str, *, clock: Callable[[], float] = _awake) -> None:
        self.worker = worker
        self._fleet = fleet
        self._clock = clock
        self._tables: list[SharedLeases] = []
        self._seen: dict[str, tuple[int, float]] = {}
        self._beaten_at = self._pulsed_at = -LEASE_SECONDS
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)

    def join_table(self, leases: SharedLeases) -> None:
        """Let a table's leases hear of every change. Before `start`."""
        self._tables.append(leases)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Give every lease back and leave, so that the others go on at once. The pipelines must have ended."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            for leases in self._tables:
                leases.give_back()
            self._fleet.leave(self.worker)
        except DynalensError as error:
            log.warning("the leases are left to expire: %s %s", error.message, error.hint)

    def now(self) -> float:
        """Give seconds that never go back, and that pass while the machine sleeps."""
        return self._clock()

    def has_expired(self) -> bool:
        """Say whether the others may have taken this worker for dead."""
        return self._clock() - self._beaten_at > LEASE_SECONDS

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.step()
            except DynalensError as error:
                log.warning("the fleet: %s %s", error.message, error.hint)
            except Exception:
                # A bug must not end the beat in silence: without it the others take this worker for dead.
                log.exception("the fleet failed")
            self._stop.wait(PULSE_SECONDS)

    def step(self) -> None:
        """Beat if it is time, look who lives, and let every table take or give leases."""
        now = self._clock()
        if now - self._beaten_at >= BEAT_SECONDS:
            self._fleet.beat(self.worker)
            # As of before the request: it may have taken long.
            self._beaten_at = now
        pulse = self._fleet.pulse()
        if now - self._pulsed_at > LEASE_SECONDS:
            # This worker could not look for so long that it cannot know who was silent.
            self._seen = {}
        self._pulsed_at = now
        living = self._living(pulse.beats)
        for leases in self._tables:
            leases.step(living, pulse)

    def _living(self, beats: Mapping[str, int]) -> list[str]:
        """Give the workers whose beat has changed lately, by this worker's own clock; a new one counts as living."""
        now = self._clock()
        self._seen = {
            worker: (beat, now) if self._seen.get(worker, (None, now))[0] != beat else self._seen[worker]
            for worker, beat in beats.items()
        }
        living = {worker for worker, (_, seen_at) in self._seen.items() if now - seen_at <= LEASE_SECONDS}
        return sorted(living | {self.worker})


class SharedLeases:
    """This worker's leases of one table.

    Args:
        table: The table's name.
        store: Where leases are taken.
        fleet: Where they are listed and given back.
        membership: This worker.
        targets: Names of the targets: a shard is left alone once it is drained for all of them.
    """

    alone = False

    def __init__(
        self, table: str, store: PositionStore, fleet: Fleet, membership: Membership, targets: Collection[str]
    ) -> None:
        self.owner = self.reported_as = membership.worker
        self._table = table
        self._store = store
        self._fleet = fleet
        self._membership = membership
        self._targets = frozenset(targets)
        self._lock = threading.Lock()
        self._listed: dict[str, Partition] = {}
        self._wanted_changed = False
        self._lease_changes = -1
        self._living: list[str] = []
        self._revision = 0
        self._held: frozenset[str] = frozenset()
        self._leaving: frozenset[str] = frozenset()
        self._covered: frozenset[str] = frozenset()
        self._owners: Sequence[str] = []
        self._free_since: dict[str, float] = {}
        self._is_read: Callable[[str], bool] = lambda _partition: False
        self._notify: Callable[[], None] = lambda: None
        membership.join_table(self)

    def serve(self, *, is_read: Callable[[str], bool], notify: Callable[[], None]) -> None:
        """See `Leases.serve`."""
        self._is_read, self._notify = is_read, notify

    # What lanes ask.

    def holds(self, partition: str) -> bool:
        """See `Leases.holds`."""
        return partition in self._held and partition not in self._leaving and not self._membership.has_expired()

    def covers(self, partition: str) -> bool:
        """See `Leases.covers`."""
        return partition in self._covered

    def owners(self) -> Sequence[str]:
        """See `Leases.owners`."""
        return self._owners

    def leads(self) -> bool:
        """See `Leases.leads`."""
        return self.holds(LEADER.id)

    def take(self, partition: Partition) -> None:
        """See `Leases.take`."""
        if not self.holds(partition.id):
            raise StaleLeaseError(f"{self.owner} does not hold the lease of {partition.id} of {self._table}.")

    def revision(self) -> int:
        """See `Leases.revision`."""
        return self._revision

    def want(self, partitions: Sequence[Partition]) -> None:
        """See `Leases.want`."""
        with self._lock:
            wanted = {partition.id: partition for partition in partitions}
            self._wanted_changed = self._wanted_changed or wanted.keys() != self._listed.keys()
            self._listed = wanted

    # What the membership calls.

    def step(self, living: list[str], pulse: Pulse) -> None:
        """Hear who lives and what changed; take what is due to this worker, and give back what is not."""
        self._revision = pulse.revisions.get(self._table, 0)
        lease_changes = pulse.lease_changes.get(self._table, 0)
        with self._lock:
            listed, wanted_changed = dict(self._listed), self._wanted_changed
            self._wanted_changed = False
        changed = wanted_changed or lease_changes != self._lease_changes or living != self._living
        now = self._membership.now()
        if changed or any(now - since > LEASE_SECONDS for since in self._free_since.values()):
            # Remembered once it is done: a step that fails is done again.
            self._living, self._lease_changes = [], -1
            self._balance(listed, living)
            self._living, self._lease_changes = living, lease_changes
            self._notify()
        self._release()

    def _balance(self, listed: Mapping[str, Partition], living: Sequence[str]) -> None:
        owners = self._fleet.leases(self._table)
        drained = self._drained()
        wanted = {id_: partition for id_, partition in listed.items() if id_ not in drained}
        self._held = frozenset(id_ for id_, owner in owners.items() if owner == self.owner)
        self._owners = sorted(set(owners.values()) - {""})
        self._covered = frozenset(id_ for id_, owner in owners.items() if owner in living) | drained
        self._leaving &= self._held
        self._lead(owners, living)
        self._take_share(wanted, owners, living)
        self._leave_surplus(wanted, owners, living)
        # Drained for every target, or a part of a scan that is over: nobody needs it.
        self._leaving |= self._held - wanted.keys() - {LEADER.id}

    def _drained(self) -> frozenset[str]:
        drained = Counter(
            state.partition.id
            for state in self._store.partitions(self._table)
            if state.position.ended and state.target in self._targets
        )
        return frozenset(id_ for id_, targets in drained.items() if targets == len(self._targets))

    def _lead(self, owners: Mapping[str, str], living: Sequence[str]) -> None:
        if owners.get(LEADER.id, "") not in living:
            self._acquire(LEADER, owners)

    def _take_share(self, wanted: Mapping[str, Partition], owners: Mapping[str, str], living: Sequence[str]) -> None:
        """Take what nobody holds who lives, if this worker has no more than any other."""
        free = [partition for id_, partition in sorted(wanted.items()) if owners.get(id_, "") not in living]
        for partition in self._left_over(free):
            self._acquire(partition, owners)
        counts = _counts(owners, living)
        mine = counts[self.owner]
        if not free or mine > min(counts.values()):
            return
        share = -(-(counts.total() + len(free)) // len(living))
        room = min(share - mine, -(-len(free) // len(living)))
        # Each begins somewhere else, so that two seldom go for the same one.
        first = living.index(self.owner) * room
        for offset in range(room):
            self._acquire(free[(first + offset) % len(free)], owners)

    def _left_over(self, free: Sequence[Partition]) -> list[Partition]:
        """Give what has been free for so long that whoever was to take it does not see it: shares do not count then."""
        now = self._membership.now()
        self._free_since = {partition.id: self._free_since.get(partition.id, now) for partition in free}
        return [partition for partition in free if now - self._free_since[partition.id] > LEASE_SECONDS]

    def _leave_surplus(self, wanted: Mapping[str, Partition], owners: Mapping[str, str], living: Sequence[str]) -> None:
        """Leave some to the worker that has the fewest, if this one has the most."""
        counts = _counts(owners, living)
        richest = max(counts, key=lambda worker: (counts[worker], worker))
        surplus = (counts[self.owner] - min(counts.values())) // 2
        if richest == self.owner and surplus and not self._leaving & wanted.keys():
            mine = sorted(id_ for id_ in wanted if owners.get(id_) == self.owner)
            self._leaving |= frozenset(mine[-surplus:])

    def _acquire(self, partition: Partition, owners: Mapping[str, str]) -> None:
        try:
            self._store.acquire(self._table, partition, self.owner, over=owners.get(partition.id, ""))
        except StaleLeaseError:
            return  # another worker was faster
        self._held |= {partition.id}
        self._covered |= {partition.id}

    def _release(self) -> None:
        """Give back what no lane reads any more."""
        done = [partition for partition in self._leaving if not self._is_read(partition)]
        if done:
            self._fleet.release(self._table, done, self.owner)
            self._held -= frozenset(done)
            self._leaving -= frozenset(done)

    def give_back(self) -> None:
        """Give everything back."""
        self._fleet.release(self._table, sorted(self._held), self.owner)
        self._held = self._leaving = frozenset()


def _counts(owners: Mapping[str, str], living: Sequence[str]) -> Counter[str]:
    """Count the leases of each worker that lives: of all that are recorded, so that everybody counts the same."""
    counts = Counter(dict.fromkeys(living, 0))
    counts.update(owner for id_, owner in owners.items() if owner in living and id_ != LEADER.id)
    return counts
