"""The generations of one target that are fed: read by every worker, decided about by the one that leads the table."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dynalens.backfill import forgotten
from dynalens.change import Change
from dynalens.config import CollectionConfig, load_settings
from dynalens.errors import DynalensError
from dynalens.position import Copy, PositionStore
from dynalens.target import Generation, Target, Write
from dynalens.transform import Route, route

log = logging.getLogger(__name__)


class DetachedError(DynalensError):
    """The lane must attach again: changes were lost, a generation was begun, or its ordinals run out."""

    code = "detached"


@dataclass(frozen=True, slots=True)
class Fed:
    """A generation that is fed: its record, its settings, and which of the table's items go to it."""

    copy: Copy
    collection: CollectionConfig
    route: Route

    @property
    def generation(self) -> Generation:
        """Its name in the target."""
        return Generation(self.copy.collection, self.copy.number)


@dataclass(slots=True)
class Generations:
    """What the store has recorded of one table's generations in one target, as of the last `read`.

    Attributes:
        revision: The revision that `fed` is at least as new as.
        fed: The generations that every change goes to, by their text form, `donations@2`: the one that is served, one
            that is being built beside it, and one that is kept to switch back to.
    """

    table: str
    target: Target
    store: PositionStore
    revision: int = -1
    fed: dict[str, Fed] = field(default_factory=dict)
    _routes: tuple[Route, ...] = ()

    def read(self, known: Sequence[Copy] = ()) -> None:
        """Read them. Whoever has drawn an epoch before knows all that were recorded before that.

        Args:
            known: Those that this worker fed before, where it has read none yet.

        Raises:
            DetachedError: The store has forgotten one that is fed; what is known of it stays, to remind the store.
        """
        revision, copies = self.store.revision(self.table), self.store.copies(self.table, self.target.name)
        if forgotten(known or self.copies(), copies):
            raise DetachedError(f"the position store has forgotten a generation of {self.table}")
        self.revision = revision
        self.fed = {str(one.generation): one for one in filter(None, map(_fed, copies))}
        self._routes = tuple(one.route for one in self.fed.values())

    def copies(self) -> list[Copy]:
        """Give their records."""
        return [one.copy for one in self.fed.values()]

    def building(self) -> list[Copy]:
        """Give the records of those whose first copy is not complete."""
        return [copy for copy in self.copies() if copy.state == "building"]

    def writes(self, change: Change, version: int, *, scan: str | None = None) -> Iterator[Write]:
        """Make the writes of one change, for every generation that it goes to.

        Args:
            change: The change.
            version: Its version.
            scan: The scan that it is a row of: it goes to the generations that this scan fills.
        """
        for name, document in route(change, self._routes):
            one = self.fed[name]
            if scan is None or one.copy.scan == scan:
                yield Write(one.generation, change.id, version, document, change)

    def open(self, *, leads: bool, held: Iterable[Generation]) -> None:
        """Make room for them in the target; the worker that leads sees to it that the right one is served.

        Args:
            leads: Whether this worker leads.
            held: What the target held before.
        """
        for one in self.fed.values():
            self.target.create(one.generation, one.collection)
        if leads:
            for one in self.fed.values():
                self._serve(one, held)

    def _serve(self, one: Fed, held: Iterable[Generation]) -> None:
        """Serve what the store calls live: the target may have gone back to before the switch."""
        others = [other for other in held if other.collection == one.copy.collection and other != one.generation]
        if one.copy.state == "live":
            self.target.serve(one.generation)
            self.drop_unfed(one.copy.collection, others)
        elif one.copy.state == "building" and not others:
            # Nothing else is there: readers may watch the first copy fill.
            self.target.serve(one.generation)

    def drop_unfed(self, collection: str, held: Iterable[Generation]) -> None:
        """Drop what the target holds of a collection and nobody feeds."""
        for other in held:
            if other.collection == collection and str(other) not in self.fed:
                self.target.drop(other)


def _fed(copy: Copy) -> Fed | None:
    if copy.state == "dropped":
        return None
    try:
        collection = load_settings(copy.settings)
    except ValueError:
        log.exception("%s@%d is fed no more: its settings cannot be read", copy.collection, copy.number)
        return None
    name = str(Generation(copy.collection, copy.number))
    return Fed(copy, collection, Route.of(name, collection))
