"""Made-up people of many languages, and the cities where they live."""

# ruff: noqa: RUF001 - names in many scripts are what this is about

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

_NAMES = (
    ("Olivia Amelia Grace Harry George Alfie", "Walker Hughes Bennett Fletcher Okafor Singh"),
    ("Emma Hannah Lukas Jürgen Käthe Felix", "Müller Schröder Weiß Vogel Krämer Brandt"),
    ("Chloé Inès Théo Hélène Lucas Amélie", "Lefèvre Moreau Garnier Benoît Diallo Mercier"),
    ("Lucía Sofía Álvaro Martín Inés Joaquín", "Ibarra Muñoz Fernández Peña Castillo Ríos"),
    ("Giulia Matteo Chiara Lorenzo Alessia Nicolò", "Ferrari Esposito Colombo Greco Conti Marino"),
    ("Zofia Jakub Małgorzata Wojciech Łukasz Hanna", "Nowak Wiśniewska Kamiński Zając Dąbrowska Król"),
    ("Astrid Søren Freja Åsa Bjørn Maja", "Lindqvist Sørensen Ødegård Nyström Dahl Berg"),
    ("Elif Mehmet Ayşe Emre Zeynep Çağlar", "Yılmaz Şahin Öztürk Kaya Demir Aydın"),
    ("João Beatriz Tiago Conceição Rui Mariana", "Gonçalves Araújo Simões Pacheco Teixeira Nunes"),
)
"""First names and family names that go together."""

_ROMANISED = {
    "小野 美咲": "misaki.ono",
    "佐藤 健": "ken.sato",
    "Ольга Соколова": "olga.sokolova",
    "Дмитро Шевчук": "dmytro.shevchuk",
    "Ελένη Παππά": "eleni.pappa",
    "Νίκος Γεωργίου": "nikos.georgiou",
    "王 芳": "fang.wang",
    "김 민준": "minjun.kim",
    "ليلى حداد": "layla.haddad",
    "अनन्या शर्मा": "ananya.sharma",
}
"""Names in other scripts, and what stands before the @ of their addresses."""

_ROMANISED_SHARE = 0.12
_PLAIN = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ı": "i", " ": "."})
_DOMAINS = ("example.com", "example.org", "example.net")
"""Reserved for examples (RFC 2606): no mail ever reaches anybody."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a name and an address for mail."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class City:
    """A city, the country's code and telephone prefix, and where it is, in degrees."""

    name: str
    country: str
    prefix: int
    street: str
    lat: float
    lon: float


CITIES = (
    City("London", "GB", 44, "Market Street", 51.507, -0.128),
    City("Manchester", "GB", 44, "Oxford Road", 53.481, -2.242),
    City("Dublin", "IE", 353, "Camden Street", 53.350, -6.260),
    City("Berlin", "DE", 49, "Lindenstraße", 52.520, 13.405),
    City("Köln", "DE", 49, "Aachener Straße", 50.938, 6.960),
    City("Zürich", "CH", 41, "Langstrasse", 47.377, 8.541),
    City("Wien", "AT", 43, "Neubaugasse", 48.208, 16.373),
    City("Paris", "FR", 33, "rue Oberkampf", 48.857, 2.352),
    City("Lyon", "FR", 33, "rue Mercière", 45.764, 4.836),
    City("Madrid", "ES", 34, "calle de Atocha", 40.417, -3.704),
    City("Lisboa", "PT", 351, "rua da Rosa", 38.722, -9.139),
    City("Milano", "IT", 39, "via Torino", 45.464, 9.190),
    City("Kraków", "PL", 48, "ulica Długa", 50.065, 19.945),
    City("København", "DK", 45, "Vesterbrogade", 55.676, 12.568),
    City("Göteborg", "SE", 46, "Vasagatan", 57.709, 11.975),
    City("İstanbul", "TR", 90, "İstiklal Caddesi", 41.008, 28.978),
    City("Αθήνα", "GR", 30, "Ερμού", 37.984, 23.728),
    City("Київ", "UA", 380, "вулиця Хрещатик", 50.450, 30.523),
    City("大阪", "JP", 81, "御堂筋", 34.694, 135.502),
    City("New York", "US", 1, "Bleecker Street", 40.713, -74.006),
    City("Toronto", "CA", 1, "Queen Street West", 43.653, -79.383),
)


def person(chance: Random) -> Person:
    """Make up somebody."""
    if chance.random() < _ROMANISED_SHARE:
        name, mailbox = chance.choice(list(_ROMANISED.items()))
    else:
        first, family = (chance.choice(names.split()) for names in chance.choice(_NAMES))
        name = f"{first} {family}"
        mailbox = _plain(name)
    return Person(name, f"{mailbox}{chance.randrange(1, 100)}@{chance.choice(_DOMAINS)}")


def address(chance: Random, city: City) -> dict[str, Any]:
    """Make up an address in a city, with coordinates near its centre."""
    return {
        "street": f"{city.street} {chance.randrange(1, 180)}",
        "city": city.name,
        "country": city.country,
        "lat": _degrees(city.lat + chance.uniform(-0.05, 0.05)),
        "lon": _degrees(city.lon + chance.uniform(-0.05, 0.05)),
    }


def _plain(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.translate(_PLAIN).lower())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _degrees(value: float) -> Decimal:
    return Decimal(str(round(value, 4)))
