"""Words of a text, as Elasticsearch matches them: `match`, `multi_match`, phrases and close words, by BM25."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from rapidfuzz.distance import OSA, Levenshtein

from dynalens.errors import RequestError
from dynalens.search import ID, Fuzzy, Match, MultiMatch, Phrase, Prefix, Value
from dynalens.search.minimum import required
from dynalens.search.request import Typos
from dynalens.target.search.language.clause import ALL, Clause, CloseWord
from dynalens.target.search.language.clauses import Clauses, all_of, any_of, best_of, boosted, constant, nothing
from dynalens.target.search.language.encode import printable
from dynalens.target.search.language.exact import spells_value, tokens_of
from dynalens.target.search.language.limits import MOST_WORDS, hold
from dynalens.target.search.language.pieces import Piece, pieces_of, typos_in
from dynalens.target.search.language.tokens import DATE_STRING, LONGEST_EXACT, STRING, spell
from dynalens.target.search.language.words import words


@dataclass(frozen=True, slots=True)
class _Wanted:
    """How many of a text's pieces must match, and how closely; `last_goes_on`: the last word is a beginning."""

    operator: Literal["or", "and"]
    minimum: int | str | None
    typos: Typos
    last_goes_on: bool = False

    def joined(self, found: Sequence[Clause]) -> Clause:
        if self.operator == "and":
            return all_of(found)
        return any_of(found, max(1, required(self.minimum, len(found))) if self.minimum is not None else 1)


def match(clauses: Clauses, asked: Match) -> Clause:
    """Match words in one field, or a number or boolean that the text is."""
    text = text_of(asked.text)
    if asked.field == ID:
        return clauses.ids([printable(text)])
    field = clauses.name(asked.field)
    if not isinstance(asked.text, str) or spells_value(text):
        # The words of 12.5 are 12 and 5: a price of 5 is not what was meant.
        whole = clauses.tokens(clauses.name(asked.field), tokens_of(asked.text))
        return best_of([whole, _phrase(clauses, field, text)])
    return _words(clauses, field, text, _Wanted(asked.operator, asked.minimum, asked.typos))


def multi_match(clauses: Clauses, asked: MultiMatch) -> Clause:
    """Match words in several fields, or in all fields together."""
    fields = [(clauses.name(path), boost) for path, boost in asked.fields] or [(ALL, 1.0)]
    wanted = _Wanted(asked.operator, asked.minimum, asked.typos, asked.kind == "bool_prefix")
    if asked.kind == "cross":
        return _across(clauses, fields, asked.text, wanted)
    found = [boosted(_in_field(clauses, field, asked, wanted), boost) for field, boost in fields]
    if asked.kind in {"most", "bool_prefix"}:
        return any_of(found)
    return best_of(found, asked.tie_breaker)


def phrase(clauses: Clauses, asked: Phrase) -> Clause:
    """Match words in a row.

    Raises:
        RequestError: Moves are allowed and the last word may go on, which the engine cannot do at once.
    """
    if asked.slop and asked.prefix:
        raise RequestError(
            f"A phrase on {asked.field!r:.100} has a slop and a prefix, which cannot be combined.",
            hint="Leave out slop, or ask with match_phrase.",
        )
    field = clauses.name(asked.field)
    return _phrase(clauses, field, asked.text, slop=asked.slop, prefix=asked.prefix)


def prefix(clauses: Clauses, asked: Prefix) -> Clause:
    """Match the beginning of a word, of words in a row, or of a whole value."""
    value = printable(asked.value)
    hold(len(value), LONGEST_EXACT, "characters in a prefix", "Write a shorter beginning.")
    name = clauses.name(asked.field)
    found = [clauses.token_beginning(name, kind + spell(value)) for kind in (STRING, DATE_STRING)]
    if asked.field != ID and words(value):
        found.append(_phrase(clauses, clauses.name(asked.field), value, prefix=True))
    return constant(any_of(found), 1.0)


def fuzzy(clauses: Clauses, asked: Fuzzy) -> Clause:
    """Match a word that is close to the one asked; each one, where the text holds several."""
    field = clauses.name(asked.field)
    found = words(asked.value)
    hold(len(found), MOST_WORDS, "words in one text", "Write fewer words.")
    return all_of([_close(clauses, field, word, asked) for word in found]) if found else nothing()


def is_close(wanted: CloseWord, word: str) -> bool:
    """Tell whether a word is one of those that a clause asks for."""
    distance = OSA.distance if wanted.transpositions else Levenshtein.distance
    if not word.startswith(wanted.word[: wanted.prefix_length]):
        return False
    return distance(word, wanted.word, score_cutoff=wanted.typos) <= wanted.typos


def close_enough(asked: Fuzzy, word: str) -> Callable[[str], bool]:
    """Give the rule that `fuzzy` goes by: whether a word is close to the wanted one."""
    typos = typos_in(word, asked.typos)
    return partial(is_close, CloseWord(asked.field, word, typos, asked.transpositions, asked.prefix_length))


def _close(clauses: Clauses, field: str, word: str, asked: Fuzzy) -> Clause:
    typos = typos_in(word, asked.typos)
    if not typos:
        return clauses.word(field, word)
    return clauses.close_word(
        field, word, typos, transpositions=asked.transpositions, prefix_length=max(0, asked.prefix_length)
    )


def text_of(value: Value) -> str:
    """Give the text of a value as JSON has it."""
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _in_field(clauses: Clauses, field: str, asked: MultiMatch, wanted: _Wanted) -> Clause:
    if asked.kind in {"phrase", "phrase_prefix"}:
        return _phrase(clauses, field, asked.text, prefix=asked.kind == "phrase_prefix")
    return _words(clauses, field, asked.text, wanted)


def _words(clauses: Clauses, field: str, text: str, wanted: _Wanted) -> Clause:
    found = _pieces(text)
    if not found:
        return nothing()
    return wanted.joined([_piece(clauses, field, piece, wanted, last=piece is found[-1]) for piece in found])


def _across(clauses: Clauses, fields: Sequence[tuple[str, float]], text: str, wanted: _Wanted) -> Clause:
    """Match each piece in the field that has it best."""
    found = _pieces(text)
    if not found:
        return nothing()
    return wanted.joined(
        [
            best_of([boosted(_piece(clauses, field, piece, wanted, last=False), boost) for field, boost in fields])
            for piece in found
        ]
    )


def _piece(clauses: Clauses, field: str, piece: Piece, wanted: _Wanted, *, last: bool) -> Clause:
    if last and wanted.last_goes_on:
        return clauses.phrase_beginning(field, piece.words)
    typos = 0 if piece.is_run else typos_in(piece.words[0], wanted.typos)
    exact = clauses.phrase(field, piece.words)
    return best_of([exact, clauses.close_word(field, piece.words[0], typos)]) if typos else exact


def _pieces(text: str) -> list[Piece]:
    found = pieces_of(text)
    hold(sum(len(piece.words) for piece in found), MOST_WORDS, "words in one text", "Write fewer words.")
    return found


def _phrase(clauses: Clauses, field: str, text: str, *, slop: int = 0, prefix: bool = False) -> Clause:
    found = words(text)
    hold(len(found), MOST_WORDS, "words in one text", "Write fewer words.")
    if not found:
        return nothing()
    return clauses.phrase_beginning(field, found) if prefix else clauses.phrase(field, found, slop)
