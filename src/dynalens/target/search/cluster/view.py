"""What a search looks at, and what the cluster's errors mean to whoever asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from dynalens.errors import DynalensError, QueryLimitError, RequestError
from dynalens.target.search.cluster.connection import ClusterError, Connection, quoted
from dynalens.target.search.language.clauses import Paths

PARAMETERS = {
    # An answer without the documents of a lost shard would be a wrong one.
    "allow_partial_search_results": "false",
    # Scores do not depend on which shard a document is in; with one shard it costs nothing.
    "search_type": "dfs_query_then_fetch",
}


"""The type of the error that says that there is no such index or alias."""

_BAD_REQUEST = 400
_LIMITS = ("too_many_", "too many ", "maxclausecount", "max_result_window", "circuit_breaking", "data too large")
"""What errors say that come from limits of the cluster."""


class Searched(Protocol):
    """Documents that are searched."""

    @property
    def paths(self) -> Paths:
        """The paths that can be asked by name."""
        ...

    def ask(self, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
        """Give the cluster's answer to the body of a search, with each number as a `NumberText`.

        Raises:
            RequestError: The cluster does not take it.
            QueryLimitError: It passes one of the cluster's limits.
            TargetError: The cluster does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class View:
    """One generation as it is now.

    Attributes:
        connection: The way to its cluster.
        index: Its index, or an alias of it.
        paths: The paths that can be asked by name.
    """

    connection: Connection
    index: str
    paths: Paths

    def ask(self, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
        """Answer a search."""
        try:
            return self.connection.request("POST", quoted(self.index, "_search"), body, **PARAMETERS)
        except ClusterError as error:
            raise meaning(error) from error


def not_on_a_cluster(what: str) -> RequestError:
    """Give the error about what the embedded engine alone answers."""
    return RequestError(
        f"{what} are not answered by a search cluster yet.",
        hint="Write targets: {search: tantivy://./data/search}, or ask the cluster itself.",
    )


def meaning(error: ClusterError) -> DynalensError:
    """Tell a search that cannot be answered from a cluster that cannot answer."""
    said = f"{error.type} {error.message}".lower()
    if any(limit in said for limit in _LIMITS):
        return QueryLimitError(error.message, hint="Write a smaller query, or raise the limit of the cluster.")
    if error.status == _BAD_REQUEST:
        return RequestError(error.message, hint="Write the query in another way.")
    return error
