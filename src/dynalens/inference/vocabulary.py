"""Words in names of attributes, where a name has to decide what a value cannot.

`accountId` and `zip` are numbers that nobody adds up, and a number between -90 and 90 is a latitude only where it is
called one. A missing word costs a proposal too many or too few, never a wrong figure.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TYPES = _words("type typename kind entity doctype discriminator")

NO_GROUPS = _words(
    "description email id ids key mail name note notes phone pk sk sku street subject text title token uri url user "
    "username uuid"
)

MONEY = _words(
    "amount balance budget charge cost costs discount donation earnings fee fees gross income net paid payment price "
    "profit raised refund revenue salary sales spend spent tax tip total turnover value wage"
)
AMOUNTS = MONEY | _words(
    "bytes calls clicks count delta distance downloads duration hits hours impressions items minutes points quantity "
    "qty size stock units views visits volume weight"
)
NO_AMOUNTS = _words(
    "age altitude at code day grade heading hour id ids index isbn key lat latitude level line lng lon long longitude "
    "month no number order percent percentage phone pin port position postcode priority rank rate rating ratio ref "
    "revision score seq sequence sort stars status temperature timestamp ttl version week year zip zipcode"
)

FIRST_MOMENTS = _words("at created date on time timestamp when")
LATER_MOMENTS = _words("changed modified seen synced updated")
NO_MOMENTS = _words(
    "birth birthday birthdate born dob due end ends expiration expire expires expiry to ttl until valid"
)

LATITUDES = _words("lat latitude")
LONGITUDES = _words("lng lon long longitude")
