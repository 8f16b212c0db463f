"""Every error a user can meet: what happened, where, and what to do instead.

Inheritance is used for exceptions alone; catch `DynalensError` to catch them all.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_ATTENTION = 3


class DynalensError(Exception):
    """Base of all errors of Dynalens: a stable `code`, a message and a hint that says what to do.

    Args:
        message: What went wrong and where, in plain words.
        hint: What to write, run or change instead; empty when there is nothing to advise.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = EXIT_FAILED
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep the message and the hint apart so that each surface can lay them out."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Give the message, then the hint on the same line."""
        return f"{self.message} {self.hint}".strip()


class ConfigError(DynalensError):
    """The configuration file, or a value in it, cannot be used."""

    code = "config"
    exit_code = EXIT_USAGE


class MissingExtraError(DynalensError):
    """A part was asked for whose packages are not installed."""

    code = "missing_extra"

    def __init__(self, part: str, extra: str = "embedded") -> None:
        """Name the part and the exact `pip install` line that brings it."""
        super().__init__(f"{part} is not installed.", hint=f'Run: pip install "dynalens[{extra}]"')


class FolderLockedError(DynalensError):
    """Another process holds the data folder."""

    code = "folder_locked"


class UsageError(DynalensError):
    """A command was called in a way that cannot work."""

    code = "usage"
    exit_code = EXIT_USAGE


class SourceError(DynalensError):
    """A source could not be read; what was read before stays valid."""

    code = "source"


class TableNotFoundError(SourceError):
    """The table does not exist in this account and region."""

    code = "table_not_found"


class StreamDisabledError(SourceError):
    """The table has no enabled stream."""

    code = "stream_disabled"


class ViewTypeError(SourceError):
    """The stream's view type cannot serve the configured targets."""

    code = "view_type"


class TrimmedError(SourceError):
    """Records after the asked position are gone from the stream: a gap."""

    code = "trimmed"


class TargetError(DynalensError):
    """A target could not be reached or refused a whole request; nothing counts as confirmed."""

    code = "target"
    http_status = 503


class StoreError(DynalensError):
    """The store of positions cannot be opened, read or written; what was stored stays valid."""

    code = "store"


class StaleLeaseError(DynalensError):
    """A conditional write on a lease, an epoch or a position lost: another holder came after this one."""

    code = "stale_lease"


class RequestError(DynalensError):
    """A request that cannot be answered as it stands (HTTP 400)."""

    code = "bad_request"
    http_status = 400


class NotFoundError(RequestError):
    """What the request names does not exist."""

    code = "not_found"
    http_status = 404


class QueryRefusedError(RequestError):
    """A query reaches for something that queries may not touch."""

    code = "query_refused"
    http_status = 403


class QueryLimitError(RequestError):
    """A query, body or page passed a limit; the message names the limit."""

    code = "limit"
    http_status = 422


class BusyError(DynalensError):
    """Too many requests of this kind are running; try again."""

    code = "busy"
    http_status = 503
