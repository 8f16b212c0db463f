"""Long texts, words and ids: equality counts all of them, order and ranges the beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.conformance.case import Case, query

_SAME = "same " * 60
"""300 characters."""
_HAY = "hay " * 5000
"""20,000 characters."""
_WORD = "w" * 255

DOCUMENTS: Mapping[str, Mapping[str, object]] = {
    "300-first": {"long": _SAME + "first"},
    "300-second": {"long": _SAME + "second"},
    "256": {"long": "b" * 256},
    "257": {"long": "b" * 257},
    "40000": {"long": _HAY + "needle in a " + _HAY + "haystack"},
    "255-letters": {"long": _WORD},
    "256-letters": {"long": _WORD + "w"},
    "~" + "i" * 600: {"long": "id"},
    "emoji/ü|~": {"long": "id"},
    "~": {"long": "id"},
    "b\u0000\u0007": {"long": "id"},
}

CASES: Sequence[Case] = [
    Case("equality counts all of a text", query({"term": {"long": _SAME + "first"}}), hits={"300-first"}),
    Case("a beginning is not the whole", query({"term": {"long": _SAME}}), hits=set()),
    Case("terms of long texts", query({"terms": {"long": [_SAME + "second", "b" * 257]}}), hits={"300-second", "257"}),
    Case("256 characters", query({"term": {"long": "b" * 256}}), hits={"256"}),
    Case("the words behind them", query({"match": {"long": "second"}}), hits={"300-second"}),
    Case("a prefix of 256 characters", query({"prefix": {"long": "b" * 256}}), hits={"256", "257"}),
    Case("a range of 256 characters", query({"range": {"long": {"gt": "b" * 256, "lt": "c"}}}), hits={"257"}),
    Case("a word in 40,000 characters", query({"match": {"long": "needle"}}), hits={"40000"}),
    Case("the last word of 40,000 characters", "q=haystack&fields=long", hits={"40000"}),
    Case(
        "a phrase in 40,000 characters",
        query({"match_phrase": {"long": "needle in a hay"}}),
        hits={"40000"},
    ),
    Case("a word of 255 letters", query({"match": {"long": _WORD}}), hits={"255-letters"}),
    Case("a longer one is no word", query({"match": {"long": _WORD + "w"}}), hits=set()),
    Case("and yet a whole value", query({"term": {"long": _WORD + "w"}}), hits={"256-letters"}),
    Case("the beginning of both", query({"prefix": {"long": "w" * 200}}), hits={"255-letters", "256-letters"}),
    Case(
        "ids of any form",
        query({"term": {"long": "id"}}, sort="_id"),
        hits=["emoji/ü|~", "~", "b\u0000\u0007", "~" + "i" * 600],
    ),
    Case("an odd id by name", query({"ids": {"values": ["emoji/ü|~", "nobody"]}}), hits={"emoji/ü|~"}),
    Case(
        "a fragment of a long text",
        query({"match": {"long": "haystack"}}, highlight={"fields": {"long": {}}, "fragment_size": 20}),
        hits={"40000"},
        highlight={"40000": {"long": ["hay hay hay <em>haystack</em>"]}},
    ),
]
