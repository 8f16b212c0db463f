"""The values of a facet, from their tokens."""

from __future__ import annotations

from decimal import Decimal

from dynalens.search import FacetValue
from dynalens.target.search.language.leaves import number
from dynalens.target.search.language.tokens import value_of


def facet_value(token: str, documents: int) -> FacetValue:
    """Give the value of a token, and how many documents have it."""
    value = value_of(token)
    return FacetValue(number(value) if isinstance(value, Decimal) else value, documents)
