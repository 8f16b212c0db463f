"""The values of a facet, from their tokens."""

from __future__ import annotations

from decimal import Decimal

from dynalens.search import FacetValue, Value
from dynalens.target.search.language.leaves import number
from dynalens.target.search.language.tokens import value_of


def facet_value(token: str, documents: int) -> FacetValue:
    """Give the value of a token, and how many documents have it."""
    return FacetValue(plain_value(token), documents)


def plain_value(token: str) -> Value:
    """Give the value that a token stands for, as in an answer."""
    value = value_of(token)
    return number(value) if isinstance(value, Decimal) else value
