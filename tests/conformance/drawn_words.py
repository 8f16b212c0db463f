"""Texts and searches for words to draw: few words, of several scripts and close to one another."""

from __future__ import annotations

from hypothesis import strategies as st

from dynalens.search import Anywhere, Fuzzy, Match, MultiMatch, Phrase, Prefix, Query

KEYS = tuple("abcdefghij")
_PATHS = ("t", "m.x")
_WORDS = (
    *("red", "reds", "house", "hose", "houses", "york", "new york", "newer", "a", "ab", "abc"),
    *("Straße", "strasse", "naïve", "nai\u0308ve", "东京", "東京", "東京都", "한국어", "ไทย", "ᎣᏏᏲ"),
    *("ORD-1234", "a@b.org", "12.5", "19.90", "19.9", "12", "2024-01-01", "true"),
)
_words = st.sampled_from(_WORDS)
_texts = st.lists(_words, min_size=1, max_size=4).map(" ".join)
_paths = st.sampled_from(_PATHS)
_typos: st.SearchStrategy[object] = st.sampled_from([0, 1, 2, "auto"])


def items() -> st.SearchStrategy[dict[str, dict[str, object]]]:
    """Draw a document for each key."""
    values = st.one_of(_texts, _texts, st.lists(_texts, max_size=3))
    item: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
        {"t": values}, optional={"m": st.fixed_dictionaries({"x": values})}
    )
    return st.fixed_dictionaries(dict.fromkeys(KEYS, item))


def queries() -> st.SearchStrategy[Query]:
    """Draw a query for words."""
    fields = st.lists(st.tuples(_paths, st.sampled_from([1.0, 2.0])), max_size=2, unique_by=lambda field: field[0])
    kinds = ("best", "most", "cross", "phrase", "phrase_prefix", "bool_prefix")
    # One word twice, with moves: the embedded engine takes one word for both.
    moved = st.lists(st.sampled_from(["red", "house", "york", "東京"]), min_size=1, max_size=3, unique=True).map(
        " ".join
    )
    return st.one_of(
        st.builds(Anywhere, _texts, st.sampled_from([(), ("t",), _PATHS])),
        st.builds(Match, _paths, _texts, st.sampled_from(["or", "and"]), st.sampled_from([None, 2, "75%"]), _typos),
        st.builds(MultiMatch, _texts, fields.map(tuple), st.sampled_from(kinds), typos=_typos),
        st.builds(Phrase, _paths, moved, st.integers(1, 3)),
        st.builds(Phrase, _paths, _texts, st.just(0), st.booleans()),
        st.builds(Prefix, _paths, st.one_of(_words, _words.map(lambda word: word[:2]))),
        st.builds(Fuzzy, _paths, _words, _typos, st.integers(0, 3), st.booleans()),
    )
