"""Scores, highlights, pages and limits; what matches at all stands in `test_model`."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dynalens.errors import QueryLimitError, RequestError
from dynalens.search import (
    Anywhere,
    Bool,
    Boosted,
    Everything,
    Exists,
    Fuzzy,
    Highlight,
    Ids,
    Match,
    MultiMatch,
    Phrase,
    Prefix,
    Query,
    Range,
    SearchRequest,
    SortKey,
    Term,
)
from dynalens.target.search.embedded import engine, rendering
from dynalens.target.search.embedded.answer import answer
from dynalens.target.search.language.clause import Clause
from tests.unit.target.search.embedded.views import ask, ids, texts, view_of


@pytest.mark.parametrize(
    ("asked", "documents", "expected"),
    [
        ("red house", ["a red house", "red red red", "house"], "abc"),
        ("house", ["horse", "house in a very long text about many other things", "housing"], "ba"),
        ("hous", ["house", "hous", "haus"], "bac"),
        ("hous ", ["house", "hous"], "ba"),
        ("ab", ["ac", "abc", "ab"], "cb"),
        ("A1b2", ["a1b3", "a1b2"], "b"),
        ("a@b.org", ["org b a", "mail a@b.org now", "a@b.com"], "ba"),
        ("ORD-1234", ["ORD-1235", "ord-1234", "1234 ord"], "b"),
        ("東京都", ["京都", "東京都です", "東京X都", "京"], "bac"),
        ("new york", ["york is new", "new york", "york"], "bac"),
        ('"red house" blue', ["red house", "blue house red", "blue red house"], "c"),
        ('"red house', ["house", "red house"], "ba"),
        ("cafe", ["CAFÉ", "face"], "a"),
        ("19.90", ["19.9", "19 apples", "90"], "a"),
        ("!!!", ["a"], ""),
        ("  ", ["x"], "a"),
    ],
)
def test_a_search_box_finds_the_best_first(asked: str, documents: list[str], expected: str) -> None:
    assert "".join(ids(view_of(texts(*documents)), Anywhere(asked))) == expected


def test_each_word_of_a_search_box_may_be_in_any_of_the_fields_asked() -> None:
    view = view_of({"1": {"a": "red", "b": "house"}, "2": {"a": "red"}, "3": {"c": "red house"}})
    assert ids(view, Anywhere("red house", ("a", "b"))) == ["1", "2"]


@pytest.mark.parametrize("words", [1, 8, 32])
def test_more_words_go_first_however_many_are_asked(words: int) -> None:
    asked = " ".join(f"word{chr(97 + number)}" for number in range(words))
    all_but_one = asked.rpartition(" ")[0] or "other"
    view = view_of(texts(*[all_but_one] * 3, asked + " and a long rest of other words" * 20))
    assert ids(view, Anywhere(asked))[0] == "d"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Match("t", "red house"), "abc"),
        (Match("t", "red house", "and"), "a"),
        (Match("t", "red house tree", minimum=2), "ab"),
        (Match("t", "red house tree", minimum=-1), "ab"),
        (Match("t", "red house tree", minimum="67%"), "ab"),
        (Match("t", "red house", minimum=3), ""),
        (Match("t", "huose", typos="auto"), "ac"),
        (Match("t", "huose"), ""),
        (Match("n", 12), "de"),
        (Match("n", "12.5"), "e"),
        (Match("n", Decimal("12.50")), "e"),
        (Match("flag", "true"), "d"),
        (Match("t", "東京"), "f"),
        (Match("t", "..."), ""),
        (Match("_id", "a"), "a"),
        (MultiMatch("red"), "ab"),
        (MultiMatch("red oak", (("t", 1.0), ("u", 2.0)), "cross", "and"), "b"),
        (MultiMatch("red oak", (("t", 1.0), ("u", 2.0)), "best", "and"), ""),
        (MultiMatch("red oak", (("t", 1.0), ("u", 2.0)), "most"), "ba"),
        (MultiMatch("red ho", (("t", 1.0),), "bool_prefix", "and"), "a"),
        (MultiMatch("red house", (("t", 1.0),), "phrase"), "a"),
        (MultiMatch("red ho", (("t", 1.0),), "phrase_prefix"), "a"),
        (Phrase("t", "red house"), "a"),
        (Phrase("t", "house red"), ""),
        (Phrase("t", "house"), "ac"),
        (Phrase("t", "red ho", prefix=True), "a"),
        (Phrase("t", "big house", slop=1), "c"),
        (Phrase("t", "?"), ""),
        (Fuzzy("t", "HUOSE"), "ac"),
        (Fuzzy("t", "huose", transpositions=False, typos=1), ""),
        (Fuzzy("t", "huose", prefix_length=1), "ac"),
        (Fuzzy("t", "huose", prefix_length=2), ""),
        (Boosted(Term("t", "red tree"), 3.0, constant=True), "b"),
        (Prefix("t", "Red h"), "a"),
        (Range("day", gte="2020", lte="2020"), "d"),
        (Range("day", gt="2019"), "d"),
    ],
)
def test_words_are_matched_as_elasticsearch_matches_them(query: Query, expected: str) -> None:
    documents: dict[str, dict[str, object]] = {
        "a": {"t": "Red house"},
        "b": {"t": "red tree", "u": "oak"},
        "c": {"t": "big old house"},
        "d": {"n": 12, "flag": True, "day": "2020-05-05"},
        "e": {"n": 12.5, "day": "2019-12-31"},
        "f": {"t": "東京"},
    }
    assert set(ids(view_of(documents), query)) == set(expected)


@pytest.mark.parametrize(
    ("query", "path", "expected"),
    [
        (Anywhere("huose"), "text", ["My <em>House</em>, my <em>house</em>"]),
        (Anywhere("hou"), "text", ["My <em>House</em>, my <em>house</em>"]),
        (Match("text", "my"), "text", ["<em>My</em> House, <em>my</em> house"]),
        (Phrase("text", "my house"), "text", ["<em>My</em> <em>House</em>, <em>my</em> <em>house</em>"]),
        (Phrase("text", "house house"), "text", None),
        (Match("other", "house"), "text", None),
        (Bool(must=(Everything(),), must_not=(Match("text", "x"),)), "text", None),
        (Anywhere("東京"), "m.city", ["<em>東京</em>都"]),
        (Term("m.city", "東京都"), "m.city", ["<em>東京都</em>"]),
        (Anywhere("51"), "n", ["<em>51</em>"]),
        (Prefix("code", "#a"), "code", ["#<em>A</em>-1"]),
        (Prefix("code", "#"), "code", ["<em>#</em>A-1"]),
        (Term("flag", value=True), "flag", ["<em>true</em>"]),
    ],
)
def test_highlights_mark_what_matched(query: Query, path: str, expected: list[str] | None) -> None:
    document = {"text": "My House, my house", "m": {"city": "東京都"}, "n": 51, "code": "#A-1", "flag": True}
    [hit] = ask(view_of({"1": document}), Bool(should=(query, Everything())), highlight=Highlight()).hits
    assert hit.highlight.get(path) == expected


def test_fragments_are_the_best_parts_of_a_long_text_cut_between_words() -> None:
    text = f"{'lorem ipsum ' * 30}red apple {'dolor sit ' * 30}red house & garden {'amet ' * 60}"
    view = view_of(texts(text))
    options = Highlight(fragment_characters=40, fragments=1, escape=True)
    [hit] = ask(view, Anywhere("red house"), highlight=options).hits
    [fragment] = hit.highlight["text"]
    assert "<em>red</em> <em>house</em> &amp; garden" in fragment
    assert set(fragment.replace("<em>", "").replace("</em>", "").split()) <= {*text.split(), "&amp;"}
    [whole] = ask(view, Anywhere("red house"), highlight=Highlight(fragments=0)).hits
    assert whole.highlight["text"][0].replace("<em>", "").replace("</em>", "") == text


def test_only_fields_asked_for_are_highlighted() -> None:
    view = view_of({"1": {"a": "red", "ab": "red", "m": {"a": "red"}}})
    [hit] = ask(view, Anywhere("red"), highlight=Highlight(("a*",))).hits
    assert set(hit.highlight) == {"a", "ab"}


def test_wildcards_in_the_fields_of_a_highlight_take_no_longer_the_more_there_are() -> None:
    view = view_of({"a": {"a" * 40: "red", "b": "red"}})
    for fields, shown in (("*a" * 20 + "c", []), ("*a" * 20 + "*", ["a" * 40]), ("*" * 40 + "b", ["b"])):
        assert list(ask(view, Anywhere("red"), highlight=Highlight(fields=(fields,))).hits[0].highlight) == shown


def test_scores_stand_where_the_order_is_by_score() -> None:
    view = view_of(texts("red", "red red blue", "red"))
    best = ask(view, Match("text", "red"))
    assert best.max_score == best.hits[0].score == max(hit.score or 0 for hit in best.hits)
    assert [hit.score for hit in ask(view, Match("text", "red"), sort=(SortKey("text"),)).hits] == [None] * 3
    assert ask(view, Match("text", "red"), offset=2, size=1).max_score == best.max_score


def test_equal_scores_are_ordered_by_the_next_key() -> None:
    documents = {str(number): {"t": "red" if number % 2 else "red blue", "n": -number} for number in range(1, 9)}
    view = view_of(documents, segments=1)
    expected = ["8", "6", "4", "2", "7", "5", "3", "1"]
    sort = (SortKey("_score"), SortKey("n"))
    query = Match("t", "red blue")
    assert ids(view, query, sort=sort) == expected
    assert ids(view, query, sort=sort, offset=2, size=3) == expected[2:5]
    assert ids(view, Everything(), sort=sort, size=2) == ["8", "7"]


def test_min_score_leaves_out_the_rest_and_counts_without_it() -> None:
    view = view_of(texts("red blue", "red", "blue"))
    found = ask(view, Anywhere("red blue"), min_score=30.0)
    assert [hit.id for hit in found.hits] == ["a"]
    assert found.total == 1


def test_a_large_number_keeps_its_digits_as_a_sort_value() -> None:
    view = view_of({"1": {"n": 12345678901234567890123456789012345678}})
    assert ask(view, Everything(), sort=(SortKey("n"),)).hits[0].sort == (12345678901234567890123456789012345678,)


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        (Anywhere(" ".join("abcdefghij" * 4)), {}, "the limit is 32"),
        (Match("t", "a " * 257), {}, "the limit is 256"),
        (Bool(should=(Match("t", "a b c d"),) * 1025), {}, "the limit is 4096"),
        (Ids(("x",) * 65_537), {}, "the limit is 65536"),
        (Bool(should=(Fuzzy("t", "house"),) * 256), {}, "the limit is 4096"),
        (Bool(should=(Prefix("t", "h"),) * 256), {}, "the limit is 4096"),
        (Prefix("t", "x" * 257), {}, "the limit is 256"),
        (Range("t", lt="x" * 257), {}, "the limit is 256"),
        (Everything(), {"offset": 9_991, "size": 10}, "the limit is 10000"),
    ],
)
def test_limits_are_named(query: Query, options: dict[str, int], message: str) -> None:
    with pytest.raises(QueryLimitError, match=message) as raised:
        ask(view_of({}), query, **options)
    assert raised.value.hint


def test_words_that_prefix_length_goes_through_are_limited_in_a_whole_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "MOST_CANDIDATES", 3)
    view, one = view_of(texts("house horse")), Fuzzy("text", "hause", prefix_length=1)
    assert ids(view, one) == ["a"]
    with pytest.raises(QueryLimitError, match="4 words begin as prefix_length asks; the limit is 3"):
        ids(view, Bool(must=(one, Fuzzy("text", "horze", prefix_length=1))))


@pytest.mark.parametrize(
    ("value", "cheap", "dear"),
    [
        # Each character might begin the row that was asked for, and the one with one character less.
        ("東" * 40_000, Anywhere("東"), Anywhere("東" * 32)),
        ([*map(str, range(3000))], Term("text", "7"), Bool(should=tuple(Term("text", str(n)) for n in range(1000)))),
        (
            " ".join(f"{chr(97 + n % 26)}{n:x}" for n in range(15_000)),
            Match("text", "a0", typos=1),
            Match("text", " ".join(f"w{n}" for n in range(200)), typos=1),
        ),
    ],
    ids=["rows", "values", "words"],
)
def test_highlights_give_up_where_looking_for_them_would_take_too_long(
    value: str | list[str], cheap: Query, dear: Query
) -> None:
    view = view_of(texts(value))
    assert ask(view, cheap, highlight=Highlight()).hits[0].highlight
    with pytest.raises(QueryLimitError, match="to look through for highlights; the limit is 2000000") as raised:
        ask(view, dear, highlight=Highlight())
    assert "without highlights" in str(raised.value.hint)


@pytest.mark.parametrize("sort", [(), (SortKey("text"),), (SortKey("_score"), SortKey("text"))])
def test_documents_that_fit_no_memory_are_not_read(sort: tuple[SortKey, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MOST_BYTES", 50)
    view = view_of(texts("x" * 20, "x" * 20))
    assert ids(view, Ids(("a",)), sort=sort) == ["a"]
    with pytest.raises(QueryLimitError, match="bytes of documents to read; the limit is 50"):
        ids(view, Anywhere("x" * 20), sort=sort)


def test_deep_queries_are_refused_and_snapshots_read_on() -> None:
    query: Query = Everything()
    for _ in range(60):
        query = Bool(must=(query,))
    with pytest.raises(QueryLimitError, match="the limit is 50"):
        ask(view_of({}), query)
    assert answer(view_of({}), SearchRequest(offset=20_000), limited=False).total == 0


@pytest.mark.parametrize(
    ("query", "options"),
    [
        (Range("n", gte=1, lt="x"), {}),
        (Range("n", gte=True, lt=1), {}),
        (Term("n", Decimal("NaN")), {}),
        (Boosted(Everything(), float("inf")), {}),
        (Boosted(Everything(), -1.0), {}),
        (Phrase("t", "a b", slop=1, prefix=True), {}),
        (Everything(), {"size": -1}),
        (Everything(), {"min_score": 1.0, "sort": (SortKey("n"),)}),
        (Everything(), {"after": (1.0,), "sort": (SortKey("_score"),)}),
        (Everything(), {"after": (1, 2), "sort": (SortKey("n"),)}),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_hint(query: Query, options: dict[str, object]) -> None:
    with pytest.raises(RequestError) as raised:
        ask(view_of({}), query, **options)
    assert raised.value.hint


def test_odd_text_is_no_error() -> None:
    view = view_of(texts("x"))
    for text in ("\ud800", "\0", "a" * 70_000, "a" * 70_000 + " b", "\u200d", "🇩🇪🇫🇷", "ー", "e\u0301" * 200):
        queries: list[Query] = [
            Anywhere(text), Match("text", text, typos=2), Term(text, text), Range("text", gte=text[:256]), Exists(text),
            Fuzzy("text", text, prefix_length=1), Phrase("text", text, prefix=True), Ids((text,)), Match(text, text),
        ]  # fmt: skip
        for query in queries:
            assert ask(view, query, sort=(SortKey(text),), highlight=Highlight()).total <= 1


@pytest.mark.parametrize(("descending", "expected"), [(False, ["1", "3", "2", "4"]), (True, ["4", "3", "1", "2"])])
def test_a_document_of_several_values_takes_one_place_in_an_order(
    expected: list[str],
    descending: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    view = view_of({"1": {"n": [1, 5]}, "2": {"n": [5]}, "3": {"n": [7, 2, 6]}, "4": {"n": 8}})
    sort = (SortKey("n", descending),)
    assert ids(view, Everything(), sort=sort) == expected
    assert [ids(view, Everything(), sort=sort, offset=at, size=1) for at in range(4)] == [[one] for one in expected]


def test_an_order_by_many_values_of_each_document_counts_few_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[object] = []
    count = engine.Engine.count

    def counting(self: engine.Engine, query: Clause) -> int:
        counted.append(query)
        return count(self, query)

    monkeypatch.setattr(engine.Engine, "count", counting)
    view = view_of({f"{n:03}": {"n": [n, 1000 - n, 2000 + n]} for n in range(300)})
    expected = [f"{n:03}" for n in range(300)]
    assert ids(view, Everything(), sort=(SortKey("n"),), offset=200, size=50) == expected[200:250]
    assert ids(view, Everything(), sort=(SortKey("n", descending=True),), offset=200, size=50) == expected[99:49:-1]
    assert len(counted) < 60


def test_the_narrower_of_two_bounds_counts() -> None:
    view = view_of({"1": {"n": 1}, "2": {"n": 2}, "3": {"n": 3}})
    assert ids(view, Range("n", gte=1, gt=1, lt=3, lte=3)) == ["2"]
