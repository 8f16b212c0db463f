"""What every engine refuses of a request, in the same words."""

from __future__ import annotations

from dynalens.errors import RequestError
from dynalens.search import SCORE, Facet, SearchRequest
from dynalens.target.search.language.limits import MOST_FACETS, MOST_HITS, hold

_GO_ON = "Go on with search_after, or take a snapshot (scroll), to read further."


def check(request: SearchRequest, *, limited: bool = True) -> None:
    """Refuse what cannot be answered.

    Args:
        request: What is asked.
        limited: Whether `MOST_HITS` holds for offset and size together.

    Raises:
        RequestError: Its parts do not fit together.
        QueryLimitError: It passes a limit that the message names.
    """
    if request.offset < 0 or request.size < 0:
        raise RequestError("from and size count hits.", hint="Write 0 or more.")
    if limited:
        hold(request.offset + request.size, MOST_HITS, "hits from the first one on", _GO_ON)
    if request.min_score is not None and (request.sort or request.facets or request.aggregations or request.after):
        raise RequestError(
            "min_score cannot be combined with sort, facets, aggregations or search_after.", hint="Leave out min_score."
        )
    if request.after:
        _check_after(request)
    for facet in request.facets:
        _check_facet(facet)


def _check_after(request: SearchRequest) -> None:
    if any(key.field == SCORE for key in request.sort):
        raise RequestError("search_after cannot go on in an order by _score.", hint="Sort by a field or by _id.")
    if len(request.after) != len(request.sort):
        raise RequestError(
            f"search_after has {len(request.after)} values, and sort {len(request.sort)} keys.",
            hint="Give back the `sort` of the last hit as it is.",
        )


def _check_facet(facet: Facet) -> None:
    hold(facet.size, MOST_FACETS, "values of one facet", "Ask for fewer values.")
