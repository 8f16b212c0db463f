"""An image library with titles in many languages."""

# ruff: noqa: RUF001 - titles in many scripts are what this is about

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import count, product
from random import Random

from dynalens.demo.scenario import Put, Step, Table

TABLE = Table("Images", {"id": "S"})
FIRST = 300
"""Images that are in the library before the demo starts."""

_TITLES = (
    (
        ("The Eiffel Tower", "A lighthouse", "Tower Bridge", "Graffiti on a wall", "A red fox", "The old harbour"),
        ("at dusk", "in a winter storm", "in the morning fog", "under the stars", "seen from a drone", "in the rain"),
    ),
    (
        ("Der Kölner Dom", "Das Brandenburger Tor", "Eine Berghütte", "Die Elbphilharmonie", "Ein Weinberg"),
        ("bei Nacht", "im Nebel", "im ersten Schnee", "nach dem Regen", "in der Abendsonne", "von oben"),
    ),
    (
        ("Le Mont-Saint-Michel", "Un café", "Le marché de Noël", "Les calanques", "Un champ de lavande"),
        ("à l'aube", "sous la neige", "en été", "au crépuscule", "vu du ciel", "un dimanche matin"),
    ),
    (
        ("La Sagrada Família", "Una plaza", "El puente romano", "Un molino de viento", "La playa"),
        ("al atardecer", "de noche", "bajo la lluvia", "en primavera", "al amanecer"),
    ),
    (
        ("Il Colosseo", "Una gondola", "Le Dolomiti", "Il mercato del pesce", "Un vicolo"),
        ("all'alba", "sotto la neve", "in autunno", "di notte", "con la luna piena"),
    ),
    (
        ("Красная площадь", "Старый мост", "Деревянная церковь", "Озеро Байкал"),
        ("зимой", "на рассвете", "после дождя", "осенью", "ночью"),
    ),
    (("富士山", "金閣寺", "京都の路地", "桜並木"), ("と朝霧", "の夕暮れ", "の雪景色", "の春", "の夜")),
    (("Boğaz", "Kapadokya'da balonlar", "Galata Kulesi", "Eski çarşı"), ("gün batımında", "kışın", "sabah erken")),
    (("Ο Παρθενώνας", "Ένα ψαροκάικο", "Η Σαντορίνη"), ("το ηλιοβασίλεμα", "το πρωί", "τον χειμώνα")),
)
"""What is to be seen, and how, in nine languages: each goes with each of its language."""


class Images:
    """The library.

    Args:
        seed: Another one gives the titles in another order.
    """

    tables = (TABLE,)

    def __init__(self, seed: int = 1) -> None:
        self._chance = Random(f"{seed} images")  # noqa: S311 - titles, not secrets
        self._images = self._without_end()

    def fill(self, now: datetime) -> Iterator[Put]:  # noqa: ARG002 - an image carries no time
        """Give the images of the library."""
        for _ in range(FIRST):
            yield next(self._images)

    def step(self, now: datetime) -> Step:  # noqa: ARG002 - an image carries no time
        """Give one more image."""
        return Step([next(self._images)], self._chance.uniform(8.0, 12.0))

    def _without_end(self) -> Iterator[Put]:
        titles = [f"{what}{'' if how[0] in 'とのの' else ' '}{how}" for pair in _TITLES for what, how in product(*pair)]
        self._chance.shuffle(titles)
        for number in count():
            again, place = divmod(number, len(titles))
            title = f"{titles[place]} ({again + 1})" if again else titles[place]
            # A path, never an address elsewhere: no page of the demo loads anything from outside.
            item = {"id": f"image-{number + 1:04}", "title": title, "imageUrl": f"/images/{number + 1}.jpg"}
            yield Put(TABLE, item)
