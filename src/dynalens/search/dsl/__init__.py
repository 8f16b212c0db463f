"""Elasticsearch's dialect: bodies of `_search` and `_count` ("Query DSL") and their URL parameters, read into requests.

What is not supported is refused by name, never ignored.
"""

from dynalens.search.dsl.body import Body, read_body, read_query
from dynalens.search.dsl.source import SourceFilter
from dynalens.search.dsl.uri import read_uri

__all__ = ["Body", "SourceFilter", "read_body", "read_query", "read_uri"]
