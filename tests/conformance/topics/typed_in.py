"""What is typed without a space is one thing: codes, e-mail addresses, dates, tags of HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from tests.conformance.case import Case, Order, query

DOCUMENTS: Mapping[str, Mapping[str, object]] = {
    "order": {"ref": "ORD-1234"},
    "order-in-words": {"ref": "see ord 1234 please"},
    "order-turned": {"ref": "1234-ORD"},
    "order-next": {"ref": "ORD-1235"},
    "order-longer": {"ref": "ORD-12345"},
    "mail": {"ref": "write to anna@example.org"},
    "mail-longer": {"ref": "anna.smith@example.org"},
    "mail-typo": {"ref": "ana@exmple.org"},
    "mail-other": {"ref": "bob@example.org"},
    "march": {"ref": "2024-03-15"},
    "tags": {"ref": "<b>bold</b> & <i>italic</i>"},
    "link": {"ref": "https://example.com/path?a=b#c"},
    "dollars": {"ref": "$1,299.00"},
}


def _box(name: str, text: str, *, hits: set[str] | Order) -> Case:
    return Case(name, urlencode({"q": text, "fields": "ref"}), hits=hits)


CASES: Sequence[Case] = [
    _box("a code in a row, then one that goes on", "ORD-1234", hits=[{"order", "order-in-words"}, "order-longer"]),
    _box("a code in small letters", "ord-1234", hits=[{"order", "order-in-words"}, "order-longer"]),
    _box(
        "a code in two words",
        "ord 12345",
        hits=[
            "order-longer",
            {"order", "order-in-words", "order-turned", "order-next"},
            {"mail", "mail-longer", "mail-typo", "mail-other"},
        ],
    ),
    _box("an address, then its words apart, then typos", "anna@example.org", hits=["mail", "mail-longer", "mail-typo"]),
    _box("a month", "2024-03", hits={"march"}),
    _box("a link", "example.com/path", hits={"link"}),
    _box("a price", "1,299", hits={"dollars"}),
    Case(
        "every word of an address by match",
        query({"match": {"ref": {"query": "anna@example.org", "operator": "and"}}}),
        hits={"mail", "mail-longer"},
    ),
    Case("an address in a row by match_phrase", query({"match_phrase": {"ref": "anna@example.org"}}), hits={"mail"}),
    Case(
        "marked and escaped",
        "q=bold&fields=ref&highlight=true",
        hits={"tags"},
        highlight={"tags": {"ref": ["&lt;b&gt;<em>bold</em>&lt;/b&gt; &amp; &lt;i&gt;italic&lt;/i&gt;"]}},
    ),
    Case(
        "a code is marked word by word",
        "q=ORD-1235&fields=ref&highlight=true",
        hits={"order-next"},
        highlight={"order-next": {"ref": ["<em>ORD</em>-<em>1235</em>"]}},
    ),
]
