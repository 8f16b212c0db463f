"""Words in many scripts: letter case, accents and width do not count; scripts without spaces are found by any part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.conformance.case import Case, query

_DECOMPOSED = "Mu\u0308nchen leuchtet"
_POINTED = "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd"
_VOWELED = "\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f"

DOCUMENTS: Mapping[str, Mapping[str, object]] = {
    "munich": {"text": "München ist schön"},
    "munich-decomposed": {"text": _DECOMPOSED},
    "street": {"text": "Große Straße 5"},
    "greek": {"text": "Ελληνικά γράμματα στην οδός"},
    "russian": {"text": "Привет, ёлка"},
    "turkish": {"text": "İstanbul ILIK ılık"},
    "polish": {"text": "Łódź"},
    "danish": {"text": "smørrebrød"},
    "french": {"text": "l'œuvre du cœur"},
    "arabic": {"text": _VOWELED},
    "hebrew": {"text": _POINTED},
    "hindi": {"text": "नमस्ते दुनिया"},
    "thai": {"text": "ภาษาไทยสวยงาม"},
    "japanese": {"text": "東京都の天気"},
    "kana": {"text": "カタカナ"},
    "kana-halfwidth": {"text": "ｶﾀｶﾅ"},
    "chinese": {"text": "北京欢迎你"},
    "korean": {"text": "서울에서 만나요"},
    "fullwidth": {"text": "ＡＢＣ１２３"},
    "emoji": {"text": "party 🎉 time"},
    "countries": {"text": "🇩🇪 and 🇫🇷"},
}


def _found(name: str, words: str, *keys: str) -> Case:
    return Case(name, query({"match": {"text": {"query": words, "operator": "and"}}}), hits=set(keys))


CASES: Sequence[Case] = [
    _found("without its umlaut", "munchen", "munich", "munich-decomposed"),
    _found("in capitals", "MÜNCHEN", "munich", "munich-decomposed"),
    _found("decomposed", "mu\u0308nchen", "munich", "munich-decomposed"),
    _found("ss for ß", "STRASSE", "street"),
    _found("ß for ss", "große strasse", "street"),
    _found("Greek without accents, in capitals", "ΕΛΛΗΝΙΚΑ ΓΡΑΜΜΑΤΑ", "greek"),
    _found("a sigma at the end", "ΟΔΟΣ", "greek"),
    _found("Cyrillic in capitals", "ПРИВЕТ", "russian"),
    _found("Cyrillic without its dots", "елка", "russian"),
    _found("a dotted I", "istanbul", "turkish"),
    _found("a dotless i", "ilik", "turkish"),
    _found("l for ł", "lodz", "polish"),
    _found("o for ø", "SMORREBROD", "danish"),
    _found("oe for œ", "oeuvre coeur", "french"),
    _found("Arabic without vowel signs", "\u0645\u062d\u0645\u062f", "arabic"),
    _found("Hebrew without points", "\u05e9\u05dc\u05d5\u05dd", "hebrew"),
    _found("Hindi", "नमस्ते", "hindi"),
    _found("vowel signs of Hindi are letters", "नमसत"),
    _found("within Thai", "ไทย", "thai"),
    _found("Thai out of order", "ยไท"),
    _found("within Japanese", "京都", "japanese"),
    _found("characters that are apart", "東都"),
    _found("one character", "京", "japanese", "chinese"),
    _found("within Chinese", "欢迎", "chinese"),
    _found("Korean without its ending", "서울", "korean"),
    _found("kana of any width", "カタカナ", "kana", "kana-halfwidth"),
    _found("halfwidth kana", "ｶﾅ", "kana", "kana-halfwidth"),
    _found("Latin of any width", "abc123", "fullwidth"),
    _found("an emoji", "🎉", "emoji"),
    _found("a flag", "🇫🇷", "countries"),
    _found("another flag of the same letters", "🇪🇫"),
    Case("a whole value keeps its accents", query({"term": {"text": "Munchen ist schon"}}), hits=set()),
    Case("a whole value keeps its form", query({"term": {"text": "M\u00fcnchen leuchtet"}}), hits=set()),
    Case("a whole value as it is written", query({"term": {"text": _DECOMPOSED}}), hits={"munich-decomposed"}),
    Case("a box in Japanese", "q=東京&fields=text", hits={"japanese"}),
    Case("a box in capitals", "q=ΕΛΛΗΝΙΚΆ&fields=text", hits={"greek"}),
    Case("an unfinished word in Arabic", "q=\u0645\u062d\u0645&fields=text", hits={"arabic"}),
    Case(
        "marks stand where the words stand",
        "q=strasse&fields=text&highlight=true",
        hits={"street"},
        highlight={"street": {"text": ["Große <em>Straße</em> 5"]}},
    ),
    Case(
        "marks of characters that touch are one",
        query({"match": {"text": "京都"}}, highlight={"fields": {"text": {}}}),
        hits={"japanese"},
        highlight={"japanese": {"text": ["東<em>京都</em>の天気"]}},
    ),
    Case(
        "marks in a composed text",
        query({"match": {"text": "munchen"}}, sort="_id", highlight={"fields": {"*": {}}}),
        hits=["munich", "munich-decomposed"],
        highlight={
            "munich": {"text": ["<em>München</em> ist schön"]},
            "munich-decomposed": {"text": ["<em>M\u00fcnchen</em> leuchtet"]},
        },
    ),
    Case(
        "in the order of code points",
        query({"terms": {"_id": ["polish", "greek", "danish", "chinese", "emoji", "korean"]}}, sort="text"),
        hits=["emoji", "danish", "polish", "greek", "chinese", "korean"],
    ),
]
