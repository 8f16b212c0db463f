"""`dynalens search`: one search, answered as a table of hits with what matched in them."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer
from rich.text import Text

from dynalens.cli.client import Client
from dynalens.cli.options import AsJson, ConfigFile, Url, client, examples
from dynalens.cli.output import duration, printable, stderr, stdout, table, write
from dynalens.cli.value import cell, exact, plain
from dynalens.errors import EXIT_OK, UsageError

SHOWN_FRAGMENTS = 3
"""Fragments shown of a hit: those with the most matches."""

DOCUMENT_CHARACTERS = 200
"""Of a hit without a fragment, such as one found by a filter alone, the document is shown up to here."""

_MATCH_STYLE = "bold yellow"
_TAG = re.compile("(</?em>)")
_SPACE = re.compile(r"\s+")
_JOINERS = re.compile("([\u200c\u200d])")
"""Zero-width (non-)joiners: they steer no terminal, and Persian, Hindi and emoji are not written without them."""


EXAMPLES = examples(
    'dynalens search donations "ada facebok"',
    "dynalens search donations ada --fields email --filter platform:Facebook --facet platform --size 20",
    'dynalens search donations "" --sort -amount --json',
)


def command(  # noqa: PLR0913 - the options of a command
    context: typer.Context,
    *,
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="Name of the collection.")],
    query: Annotated[
        str,
        typer.Argument(metavar="QUERY", help='Words, typos tolerated; "" finds every document.', show_default=False),
    ],
    fields: Annotated[
        str | None, typer.Option(metavar="FIELD,FIELD", help="Search these fields only; address.city names a part.")
    ] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="FIELD:VALUE",
            help="Only documents with this value; FIELD:>=10 and FIELD:10..20 compare. May be repeated.",
        ),
    ] = None,
    facets: Annotated[
        list[str] | None, typer.Option("--facet", metavar="FIELD", help="Count the field's values; may be repeated.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option(metavar="FIELD,FIELD", help="The order; -FIELD descends. Best first by default.")
    ] = None,
    start: Annotated[int | None, typer.Option("--from", min=0, metavar="N", help="Hits to skip.")] = None,
    size: Annotated[int | None, typer.Option(min=0, metavar="N", help="Most hits to show; 10 by default.")] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    url: Url = None,
) -> int:
    """Find documents by any field, best first, with what matched in them.

    No hits are no error: the exit code is 0.
    """
    asked = [
        ("q", query),
        ("fields", fields),
        *(("filter", _filter(given)) for given in filters or []),
        *(("facet", facet) for facet in facets or []),
        ("sort", sort),
        ("from", start),
        ("size", size),
        ("highlight", "true"),
    ]
    answer = _search(client(context, config, url), collection, asked)
    if as_json:
        write(answer)
    else:
        _print(exact(answer), start or 0)
    return EXIT_OK


def _filter(given: str) -> str:
    name, colon, _ = given.partition(":")
    if not (name and colon):
        raise UsageError(f"{given!r} is no filter.", hint="Write --filter FIELD:VALUE")
    return given


def _search(server: Client, collection: str, asked: Sequence[tuple[str, object]]) -> bytes:
    # An argument that is no UTF-8 comes with its bytes as surrogates, and is the server's to judge.
    query = urlencode([(name, value) for name, value in asked if value is not None], errors="surrogateescape")
    return server.get(f"/api/v1/collections/{quote(collection, safe='', errors='surrogateescape')}/search?{query}")


def _print(answer: Mapping[str, Any], start: int) -> None:
    hits, total = answer["hits"], int(answer["total"])
    if hits:
        _print_hits(hits)
    for field, values in (answer.get("facets") or {}).items():
        _print_facet(field, values)
    took = duration(float(answer["took_ms"]) / 1000)
    stderr().print(Text(f"{_counted(total, start, len(hits))} in {took}.{_more(total, start, len(hits))}", style="dim"))


def _print_hits(hits: Sequence[Mapping[str, Any]]) -> None:
    scored = any(hit["score"] is not None for hit in hits)
    grid = table("id", *(["score"] if scored else []), "match", right=("score",))
    for hit in hits:
        score = "" if hit["score"] is None else f"{float(hit['score']):.2f}"
        grid.add_row(printable(hit["id"]), *([score] if scored else []), excerpt(hit))
    stdout().print(grid)


def _print_facet(field: str, values: Sequence[Mapping[str, Any]]) -> None:
    grid = table(field, "count", right=("count",))
    for value in values:
        grid.add_row(cell(value["value"]), f"{int(value['count']):,}")
    console = stdout()
    console.print()
    console.print(grid)


def _counted(total: int, start: int, shown: int) -> str:
    if not total:
        return "No hits"
    hits = f"{total:,} {'hit' if total == 1 else 'hits'}"
    if shown == total:
        return hits
    return f"{hits}, {f'{start + 1:,} to {start + shown:,}' if shown else 'none'} shown,"


def _more(total: int, start: int, shown: int) -> str:
    return f" Go on: --from {start + shown}" if shown and start + shown < total else ""


def excerpt(hit: Mapping[str, Any]) -> Text:
    """Render where a hit matched, or the beginning of its document where the answer does not say."""
    fragments = [(field, fragment) for field, found in (hit.get("highlight") or {}).items() for fragment in found]
    if not fragments:
        return _beginning(hit["document"])
    best = sorted(fragments, key=lambda found: found[1].count("<em>"), reverse=True)[:SHOWN_FRAGMENTS]
    return Text(" · ").join(Text().append(f"{printable(field)}: ", "dim") + emphasised(text) for field, text in best)


def emphasised(fragment: str) -> Text:
    """Render a fragment as the server sends it: text escaped as HTML, matches between `<em>` and `</em>`."""
    text, style = Text(), ""
    for part in _TAG.split(fragment):
        match part:
            case "<em>":
                style = _MATCH_STYLE
            case "</em>":
                style = ""
            case _:
                # Unescaped last, so that a tag in the data is no tag here.
                text.append(_readable(html.unescape(part)), style=style)
    return text


def _readable(text: str) -> str:
    """Make a text of any script one line that cannot steer the terminal."""
    parts = _JOINERS.split(_SPACE.sub(" ", text))
    return "".join(part if _JOINERS.fullmatch(part) else printable(part) for part in parts)


def _beginning(document: Mapping[str, Any]) -> Text:
    text = _readable(plain(document))
    return Text(text if len(text) <= DOCUMENT_CHARACTERS else f"{text[: DOCUMENT_CHARACTERS - 1]}…")
