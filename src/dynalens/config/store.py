"""Where the store of positions is, as its URL says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from dynalens.config.model import SourceConfig

EXAMPLE = "dynamodb://dynalens"

# "Naming rules" in "Supported data types and naming rules in Amazon DynamoDB".
_TABLE = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_PARAMETERS = ("region", "endpoint_url")


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """A DynamoDB table that positions are kept in.

    Attributes:
        table: The table's name.
        region: Its AWS region; None takes that of the environment.
        endpoint_url: Address of an emulator; None for AWS itself.
    """

    table: str
    region: str | None = None
    endpoint_url: str | None = None


def store_location(url: str, source: SourceConfig) -> StoreLocation:
    """Read `dynamodb://TABLE[?region=…&endpoint_url=…]`.

    Args:
        url: The URL, as `store_flaw` found it to be right.
        source: Gives the region and the endpoint that the URL leaves out.
    """
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    return StoreLocation(
        table=parts.netloc,
        region=given.get("region", source.region),
        endpoint_url=given.get("endpoint_url", source.endpoint_url),
    )


def store_flaw(url: str) -> str:
    """Say what is wrong with the URL of a store, and what to write instead; nothing when it is right."""
    try:
        parts = urlsplit(url)
        parameters = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        return f"is no URL. Write for example {EXAMPLE}."
    if parts.scheme != "dynamodb":
        return f"is no URL of a store. Write for example {EXAMPLE}, or remove it for a local file."
    if not _TABLE.fullmatch(parts.netloc) or parts.path not in {"", "/"} or parts.fragment:
        return f"names no table. Write its name, 3 to 255 letters, digits, _, - and dots: {EXAMPLE}."
    return next(filter(None, (_parameter_flaw(name, value) for name, value in parameters)), "")


def _parameter_flaw(name: str, value: str) -> str:
    if name not in _PARAMETERS:
        return f"has an unknown parameter. Write {' or '.join(_PARAMETERS)}, for example {EXAMPLE}?region=eu-west-1."
    if not value:
        return f"leaves {name} empty. Write its value, or remove it for that of source."
    if name == "endpoint_url" and not is_http(value):
        return f"has an endpoint_url that is no http address. Write {EXAMPLE}?endpoint_url=http://127.0.0.1:8000."
    return ""


def is_http(url: str) -> bool:
    """Say whether a text is an http address with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
