"""Orders: what a document sorts as, and where an order goes on.

A document sorts as its smallest value in a rising order and as its largest in a falling one; documents without a value
go last, or first.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from dynalens.search import ID, SCORE, SortKey, Value
from dynalens.target.search.language.encode import printable
from dynalens.target.search.language.exact import tokens_of
from dynalens.target.search.language.leaves import plain, sort_token, values_at
from dynalens.target.search.language.tokens import string_token, text_tokens

BY_ID = SortKey(ID)


def complete(keys: Sequence[SortKey]) -> tuple[SortKey, ...]:
    """Give an order that leaves nothing open: the id decides at last, and nothing behind it."""
    fields = [key.field for key in keys]
    return tuple(keys[: fields.index(ID) + 1]) if ID in fields else (*keys, BY_ID)


def own_token(id_: str, document: bytes, key: SortKey) -> str | None:
    """Give the token that a document sorts as; None where it has no value."""
    if key.field == ID:
        return string_token(id_)
    tokens = map(sort_token, values_at(document, key.field))
    return (max if key.descending else min)(tokens, default=None)


def own_value(id_: str, score: float, document: bytes, key: SortKey) -> Value | None:
    """Give the value that a document sorts as; None where it has none."""
    if key.field == SCORE:
        return Decimal(repr(score))
    if key.field == ID:
        return id_
    values = values_at(document, key.field)
    return plain((max if key.descending else min)(values, key=sort_token)) if values else None


def asked_token(key: SortKey, value: Value) -> str:
    """Give the token of a value that an order goes on behind."""
    if key.field == ID:
        return string_token(printable(str(value)))
    return text_tokens(printable(value))[-1] if isinstance(value, str) else tokens_of(value)[0]
