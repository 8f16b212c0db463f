"""The search target: full-text search over live collections, on Tantivy embedded in this process (`docs/search.md`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from dynalens.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from dynalens.target.search.embedded.target import SearchTarget

__all__ = ["open_search"]

_SCHEME = "tantivy://"


def open_search(url: str, *, folder: Path) -> SearchTarget:
    """Open the target that `targets.search` names.

    Args:
        url: `tantivy://` and the folder of the indexes: `tantivy://./data/search` beside `folder`, or an absolute one.
        folder: What a relative path starts from: the folder of the configuration file.

    Raises:
        ConfigError: The URL names something else, or no folder.
        MissingExtraError: Tantivy is not installed; the hint is the pip line.
        TargetError: The folder cannot be read or written.
    """
    if not url.startswith(_SCHEME):
        raise ConfigError(
            f"targets.search: {url.partition('://')[0]}:// is not supported yet.",
            hint="Write tantivy:// and a folder, such as tantivy://./data/search.",
        )
    path = unquote(url.removeprefix(_SCHEME))
    if not path:
        raise ConfigError("targets.search: the URL names no folder.", hint="Write tantivy://./data/search.")
    try:
        # Everything below imports the engine at its top.
        from dynalens.target.search.embedded.target import SearchTarget
    except ImportError as error:
        raise MissingExtraError("Search in this process (rapidfuzz, regex, tantivy)") from error
    return SearchTarget(folder / path)
