"""A fundraiser this evening: donations on five platforms, in bursts when somebody speaks, corrected and taken back."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from dynalens.demo.people import CITIES, person
from dynalens.demo.scenario import Delete, Item, Put, Step, Table, Write, moment

TABLE = Table("Donations", {"email": "S", "donatedAt": "S"})
MINUTES = 180
"""How long the event had been going on when the demo starts."""


@dataclass(frozen=True, slots=True)
class _Platform:
    """How often a platform is used, and what is given there: round numbers, each as often as it stands here."""

    share: int
    amounts: Sequence[str]


_PLATFORMS: Mapping[str, _Platform] = {
    "Facebook": _Platform(33, ("5", "10", "10", "15", "20", "20", "25", "30", "50")),
    "Website": _Platform(29, ("20", "25", "25", "30", "50", "50", "60", "75", "100", "100", "150", "33.33")),
    "Phone": _Platform(17, ("10", "20", "25", "30", "50", "50", "75", "100")),
    "Text message": _Platform(14, ("5", "5", "10", "10")),
    "Shop": _Platform(7, ("7.90", "12.50", "19.90", "24.90", "39.80", "64.70")),
}
_SHARES = [platform.share for platform in _PLATFORMS.values()]
_LARGE = ("250", "500", "500", "1000", "1250")

_MESSAGES = (
    "In memory of my grandmother",
    "Keep up the good work!",
    "From all of class 4b ❤",
    "For every child",
    "What an evening, thank you",
    "Für euch, von Herzen",
    "Danke für alles, was ihr tut",
    "Bon courage à toute l'équipe",
    "Avec tout notre soutien",
    "¡Mucho ánimo!",
    "Un piccolo aiuto da Milano",
    "Powodzenia!",
    "Heja! Varje krona räknas",
    "応援しています",
    "Удачі вам",
)

_SPEECHES = ((38, 30.0), (76, 42.0), (124, 36.0))
"""When somebody spoke, in minutes since the start, and by how many donations a minute that raised the rate."""
_FINALE = 158
_FINALE_PER_MINUTE = 70.0

_ORDINARY_BETWEEN_BURSTS = (15, 30)
_BURST = (10, 30)
_CORRECTED, _TAKEN_BACK = 0.05, 0.02


class Donations:
    """The fundraiser.

    Args:
        seed: Another one gives other donations.
    """

    tables = (TABLE,)

    def __init__(self, seed: int = 1) -> None:
        self._chance = Random(f"{seed} donations")  # noqa: S311 - made-up donors, not secrets
        self._recent: deque[Item] = deque(maxlen=100)
        self._until_burst = self._chance.randint(*_ORDINARY_BETWEEN_BURSTS)
        self._left_of_burst = 0

    def fill(self, now: datetime) -> Iterator[Put]:
        """Give the donations since the event began, in the order in which they were made."""
        for minute in range(MINUTES):
            number = round(_per_minute(minute) * self._chance.uniform(0.75, 1.25))
            for second in sorted(self._chance.uniform(0, 60) for _ in range(number)):
                at = now - timedelta(minutes=MINUTES - minute, seconds=-second)
                yield Put(TABLE, self._donation(at))

    def step(self, now: datetime) -> Step:
        """Give the next donation; now and then an earlier one is corrected or taken back besides."""
        donation = self._donation(now)
        writes = [Put(TABLE, donation), *self._second_thoughts()]
        self._recent.append(donation)
        return Step(writes, self._seconds())

    def _donation(self, at: datetime) -> Item:
        chance = self._chance
        donor = person(chance)
        [platform] = chance.choices(list(_PLATFORMS), _SHARES)
        large = platform in {"Website", "Phone"} and chance.random() < 0.012  # noqa: PLR2004 - one in eighty
        donation: Item = {
            "email": donor.email,
            "donatedAt": moment(at),
            "platform": platform,
            "amount": Decimal(chance.choice(_LARGE if large else _PLATFORMS[platform].amounts)),
            "name": donor.name,
        }
        if chance.random() < 0.6:  # noqa: PLR2004 - many say where they are
            donation["city"] = chance.choice(CITIES).name
        if chance.random() < 0.3:  # noqa: PLR2004 - and some say why
            donation["message"] = chance.choice(_MESSAGES)
        return donation

    def _second_thoughts(self) -> Iterator[Write]:
        if not self._recent:
            return
        what = self._chance.random()
        if what < _CORRECTED:
            place = self._chance.randrange(len(self._recent))
            donation = self._recent[place]
            self._recent[place] = donation | {"amount": donation["amount"] + self._chance.choice((5, 10, 20))}
            yield Put(TABLE, self._recent[place])
        elif what < _CORRECTED + _TAKEN_BACK:
            gone = self._chance.choice(self._recent)
            self._recent.remove(gone)
            yield Delete(TABLE, Put(TABLE, gone).key)

    def _seconds(self) -> float:
        if self._left_of_burst:
            self._left_of_burst -= 1
            return self._chance.uniform(0.1, 0.3)
        self._until_burst -= 1
        if not self._until_burst:
            self._left_of_burst = self._chance.randint(*_BURST)
            self._until_burst = self._chance.randint(*_ORDINARY_BETWEEN_BURSTS)
        return min(self._chance.expovariate(1 / 1.2), 4.0)


def _per_minute(minute: int) -> float:
    """Give how many donate in a minute: many at the opening, after each speech and in the finale, few between."""
    opening = 22.0 * math.exp(-minute / 8)
    speeches = sum(height * math.exp(-(((minute - at) / 4) ** 2)) for at, height in _SPEECHES)
    finale = _FINALE_PER_MINUTE * max(0.0, (minute - _FINALE) / (MINUTES - _FINALE))
    return 6.0 + opening + speeches + finale
