"""Words of any script are found and folded the same way in documents, queries and highlights."""

from __future__ import annotations

import unicodedata

import pytest

from dynalens.target.search.language.words import LONGEST_WORD, is_unspaced, located, normalized, units, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Final mega test 2", ["final", "mega", "test", "2"]),
        ("a@test.com, ORD-1234; in_progress", ["a", "test", "com", "ord", "1234", "in", "progress"]),
        ("", []),
        ("… — ()", []),
        ("Élan Façade Straße", ["elan", "facade", "strasse"]),
        ("ΟΔΟΣ οδός", ["οδοσ", "οδοσ"]),
        ("İstanbul DIŞ dış", ["istanbul", "dis", "dis"]),
        ("Łódź Århus Þórr œuvre", ["lodz", "arhus", "thorr", "oeuvre"]),
        ("Ёлка й", ["елка", "и"]),
        ("Ｔｏｋｙｏ ½", ["tokyo", "1⁄2"]),
        ("مُحَمَّد مدينة", ["محمد", "مدينه"]),
        ("שָׁלוֹם", ["שלום"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("東京タワー", ["東", "京", "タ", "ワ", "ー"]),
        ("ｶﾞ ガ", ["ガ", "ガ"]),
        ("서울에서", ["서", "울", "에", "서"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("🎉 party", ["🎉", "party"]),
    ],
)
def test_words_are_found_and_folded(text: str, found: list[str]) -> None:
    assert words(text) == [unicodedata.normalize("NFC", word) for word in found]


@pytest.mark.parametrize("text", ["École", "서울", "Ångström", "が", "Việt Nam"])
def test_composed_and_decomposed_text_have_the_same_words(text: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert words(composed) == words(decomposed)


def test_words_are_located_in_the_normalized_text() -> None:
    text = normalized("L'E\u0301cole, 東京")
    assert [(word.text, text[word.start : word.end]) for word in located(text)] == [
        ("l", "L"),
        ("ecole", "École"),
        ("東", "東"),
        ("京", "京"),
    ]


def test_a_run_that_nobody_types_is_no_word() -> None:
    assert words(f"{'a' * LONGEST_WORD} {'a' * (LONGEST_WORD + 1)} b") == ["a" * LONGEST_WORD, "b"]
    assert words(f"{'é' * (LONGEST_WORD + 1)} b") == ["b"]


def test_a_query_is_split_into_what_belongs_together() -> None:
    assert units("  a@test.com 東京タワー ORD-7 … x") == [
        ("a", "test", "com"),
        ("東", "京", "タ", "ワ", "ー"),
        ("ord", "7"),
        ("x",),
    ]


def test_scripts_without_spaces_are_told_apart() -> None:
    assert [is_unspaced(word) for word in ("東", "タ", "서", "ที่", "a", "é", "हिन्दी", "я", "1")] == [True] * 4 + [
        False
    ] * 5


def test_a_flag_is_one_word() -> None:
    assert words("Fans with 🇩🇪🇫🇷") == ["fans", "with", "🇩🇪", "🇫🇷"]
