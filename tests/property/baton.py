"""Workers in threads of their own, of which one moves at a time: each call that they make is a place to change over.

The same schedule gives the same run, whatever the machine does meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from dynalens.errors import DynalensError

REST = "rest"
"""Where a worker stands between two things that it does; it does not pass there without being told to go on."""


class KilledError(BaseException):
    """The process of this worker is gone: nothing that it would do next happens, whatever it tries to catch."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A connection that breaks around a call: before it was sent, or, where it `landed`, before its answer came."""

    error: DynalensError
    landed: bool


class Runner:
    """A thread that moves only between `run` and its return.

    Attributes:
        at: The call that it is about to make, or `REST`; empty once it has ended.
    """

    def __init__(self, name: str, live: Callable[[Runner], None]) -> None:
        self.name = name
        self.at = REST
        self._live = live
        self._go = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._calls = 0
        self._stops: Collection[str] = ()
        self._cut: Cut | None = None
        self._killed = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def run(self, calls: int, before: Collection[str] = (), cut: Cut | None = None) -> None:
        """Let it make the call that it stands before, and go on until it has made so many or stands at a stop.

        Args:
            calls: How many calls.
            before: Names of calls that it stops before.
            cut: What becomes of the first call.
        """
        if self.at:
            self._calls, self._stops, self._cut = calls, (*before, REST), cut
            self._go.release()
            self._back.acquire()
        if self._failure is not None:
            raise self._failure

    def kill(self) -> None:
        """End it where it stands."""
        self._killed = True
        self.run(1)
        self._thread.join()

    def reach(self, call: str) -> Cut | None:
        """Stand before a call; return when it may be made, with what becomes of it. Called by its own thread."""
        if self._calls == 0 or call in self._stops:
            self.at = call
            self._back.release()
            self._go.acquire()
            if self._killed:
                raise KilledError
        self._calls -= 1
        cut, self._cut = self._cut, None
        return cut

    def _run(self) -> None:
        self._go.acquire()
        try:
            if not self._killed:
                self._live(self)
        except KilledError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again by whoever lets it run
            self._failure = error
        self.at = ""
        self._back.release()


class Gated:
    """Something that workers share, as one of them sees it: it stands before each call until it may make it."""

    def __init__(self, shared: object, runner: Runner) -> None:
        self._shared = shared
        self._runner = runner
        self.broken: Cut | None = None
        """What becomes of the next call: it is the first that finds the connection broken."""

    def __getattr__(self, name: str) -> object:
        """Give a call, with its gate, or an attribute."""
        found = getattr(self._shared, name)
        return partial(self._call, name, found) if callable(found) else found

    def _call(self, name: str, call: Callable[..., object], *arguments: object, **named: object) -> object:
        cut = self._runner.reach(name) or self.broken
        if cut is None:
            return call(*arguments, **named)
        self.broken = None
        if cut.landed:
            call(*arguments, **named)
        raise cut.error
