"""The sections of the file as models. A docstring under a field is its text in the editor schema.

Models check shapes and ranges; what needs two settings at once is checked by `dynalens.config.rules`, so that every
error of a file is found in one reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PrivateAttr,
    WithJsonSchema,
    field_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import CoreSchema, core_schema

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]
"""Name of a collection or a metric: it stands in URLs, in SQL and in folder names."""

AttributeName = Annotated[str, Field(min_length=1)]
"""Name of a top-level attribute of an item, whatever characters it holds."""

Scalar = str | int | float | bool | None
"""A value that an attribute can equal."""

Where = dict[AttributeName, Annotated[Scalar, WithJsonSchema({"type": ["string", "number", "boolean", "null"]})]]
"""Attributes, and the values that they must equal."""

DEFAULT_ITEM_TYPE = "default"
"""The item type of a collection that takes what no other collection of its table names."""

MOST_SEARCH_FIELDS = 500
"""Paths that a collection may declare for search: half of those that are indexed by name at most."""

MOST_POINTS = 20
"""Points that a collection may be searched by."""

EMBEDDED_SEARCH = "tantivy://./data/search"
EMBEDDED_SQL = "chdb://./data/sql"
EMBEDDED_METRICS = "valkey://embedded"

_PASSWORD = re.compile(r"(://[^:@/?#\s]*):[^\s]*@")
_ASKED_BY = re.compile(r"://[^/?#\s]*@")
_SECRET_PARAMETER = re.compile(r"([?&](?:password|passwd|pwd|secret|token|key|api_key)=)[^&\s]*", re.IGNORECASE)


def masked(text: str) -> str:
    """Give a text with the passwords of the URLs in it replaced by `***`, for logs, errors and status."""
    return _SECRET_PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text))


class Section(BaseModel):
    """One section of the file: frozen, without unknown settings, and safe to print."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    later: ClassVar[frozenset[str]] = frozenset()
    """Settings of a later version: refused by name, so that nobody waits for what is not there."""

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Hide passwords: a configuration ends up in logs and in the output of failed tests."""
        for name, value in super().__repr_args__():
            yield name, masked(value) if isinstance(value, str) else value


class Duration(str):
    """A span of time as the file has it: a whole number and its unit, such as `1m`."""

    __slots__ = ()

    _UNITS: ClassVar[dict[str, int]] = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

    @property
    def seconds(self) -> int:
        """Its length in seconds."""
        return int(self[:-1]) * self._UNITS[self[-1]]

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: type[Any], _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Take text of this form and nothing else."""
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(pattern="^[1-9][0-9]{0,8}[smhd]$")
        )


class VerifyConfig(Section):
    """How collections are compared with their tables all the time."""

    every: Duration = Field(default=Duration("24h"), examples=["24h"])
    """How long after a collection was compared it is compared again: a number and `s`, `m`, `h` or `d`."""

    rate: float = Field(default=20.0, gt=0, allow_inf_nan=False, examples=[20])
    """Most documents a second that are compared of one table in one target."""

    repair: bool = Field(default=False, examples=[True])
    """Whether what differs is applied again."""


class SourceConfig(Section):
    """Where the tables are."""

    region: str | None = Field(default=None, min_length=1, examples=["eu-west-1"])
    """AWS region; without it the AWS settings of the environment count."""

    endpoint_url: str | None = Field(default=None, examples=["http://127.0.0.1:8000"])
    """Address of DynamoDB Local or another emulator; without it AWS itself."""

    streams_endpoint_url: str | None = Field(default=None, examples=["http://127.0.0.1:8000"])
    """Address for DynamoDB Streams where it differs from `endpoint_url`."""

    scan_read_units: float = Field(default=500.0, gt=0, allow_inf_nan=False, examples=[500])
    """Most read units a second that a scan of one table uses."""

    scan_segments: int = Field(default=4, ge=1, le=1000, examples=[4])
    """Parts that a table is scanned in, side by side."""

    repair: Literal["automatic", "manual"] = Field(default="automatic", examples=["automatic"])
    """What is done about a gap: a repair scans the table, by itself or once `dynalens rebuild` asks for it."""

    verify: VerifyConfig | None = Field(default=None, examples=[{"every": "24h"}])
    """How collections are compared with their tables all the time; without it they are once `dynalens verify` asks."""


class TargetsConfig(Section):
    """Where collections are kept: one URL per kind of target. A kind that is left out is not kept."""

    search: str | None = Field(default=None, examples=[EMBEDDED_SEARCH])
    """Search: `tantivy://FOLDER` runs in this process and keeps its files in the folder; `https://USER:PASSWORD@HOST:9200`
    and `opensearch+sigv4://HOST` are an OpenSearch or Elasticsearch of yours."""

    sql: str | None = Field(default=None, examples=[EMBEDDED_SQL])
    """SQL: `chdb://FOLDER` runs in this process and keeps its files there; `clickhouse://HOST` is a server of yours."""

    metrics: str | None = Field(default=None, examples=[EMBEDDED_METRICS])
    """Metrics: `valkey://embedded` is started and kept by Dynalens; `valkey://HOST:PORT` is a server of yours."""

    def places(self) -> dict[str, str]:
        """Give where each kind of target that is kept is, by its name: its URL without who asks, or secrets."""
        return {name: _ASKED_BY.sub("://", masked(url)) for name, url in self if url is not None}


class SumConfig(Section):
    """How an attribute is summed."""

    decimals: int = Field(default=0, ge=0, le=18, examples=[2])
    """Digits after the point that are kept exactly; a value with more is a dead letter."""


class PublishConfig(Section):
    """Names under which a metric is also kept for other applications, beside Dynalens' own keys."""

    key: str = Field(min_length=1, examples=["{platform}"])
    """Key of a group's hash. Each `{attribute}` stands for the group's value of that attribute."""

    total_key: str | None = Field(default=None, min_length=1, examples=["ALL"])
    """Key of the total's hash."""

    channel: str | None = Field(default=None, min_length=1, examples=["aggregates"])
    """Channel that hears a message for each changed value."""

    fields: dict[str, Annotated[str, Field(min_length=1)]] = Field(
        default_factory=dict, examples=[{"amount_sum": "amount"}]
    )
    """Names of the hash's fields, by value: `count`, `ATTRIBUTE_sum`, `ATTRIBUTE_avg` and so on."""


def _as_list(value: object) -> object:
    return (value,) if isinstance(value, str) else value


_ONE_NAME = {"type": "string", "minLength": 1}
_NAMES = {"type": "array", "items": _ONE_NAME, "uniqueItems": True}

_OneOrMany = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [_ONE_NAME, _NAMES]}),
]

Attributes = _OneOrMany
"""Names of attributes."""

Patterns = _OneOrMany
"""Paths of files, in which `*` stands for any name."""

Paths = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [_ONE_NAME, {**_NAMES, "maxItems": MOST_SEARCH_FIELDS}]}),
]
"""Attribute names joined by dots, such as `address.city`."""

PointPaths = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    Field(min_length=1),
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [_ONE_NAME, {**_NAMES, "minItems": 1, "maxItems": 2}]}),
]
"""The path of a point, or those of its latitude and its longitude."""

TIME_MEMBER = "time"
"""Name of the bucket among the members of a group."""

KEPT_BUCKETS = 1_440
"""Time buckets that a metric keeps unless the file says otherwise: a day of minutes."""

MOST_BUCKETS = 10_000
"""Time buckets that a metric may keep: each viewer is sent all of them first."""


class MetricConfig(Section):
    """One continuous aggregate."""

    every: Duration | None = Field(default=None, examples=["1m"])
    """Length of time buckets, by which items are grouped too: a number and `s`, `m`, `h` or `d`, a part of a day."""

    time: AttributeName | None = Field(default=None, examples=["donatedAt"])
    """Attribute that says which bucket an item belongs to; without it the time of the change itself."""

    keep: Duration | None = Field(default=None, examples=["24h"])
    """How long buckets are kept; without it 1,440 of them are, at most 10,000 may be."""

    group_by: Attributes = Field(default=(), examples=["platform", ["platform", "country"]])
    """Attribute, or list of attributes, by whose values items are grouped; without it all items are one group."""

    count: bool = Field(default=False, examples=[True])
    """Whether items are counted."""

    sum: dict[AttributeName, SumConfig] = Field(default_factory=dict, examples=[{"amount": {"decimals": 2}}])
    """Attributes that are summed."""

    avg: dict[AttributeName, SumConfig] = Field(default_factory=dict, examples=[{"amount": {"decimals": 2}}])
    """Attributes whose numbers are averaged."""

    min: Attributes = Field(default=(), examples=["amount", ["amount", "age"]])
    """Attribute, or list of attributes, whose least number is kept."""

    max: Attributes = Field(default=(), examples=["amount", ["amount", "age"]])
    """Attribute, or list of attributes, whose greatest number is kept."""

    distinct: Attributes = Field(default=(), examples=["email", ["email", "city"]])
    """Attribute, or list of attributes, whose different values are counted, exactly."""

    approximate_distinct: Attributes = Field(default=(), examples=["visitor", ["visitor", "city"]])
    """Attribute, or list of attributes, whose different values are estimated, to about 0.81 %: all that were ever seen,
    since deletes and changes do not lower it. It takes 12 KB a group at most; `distinct` is exact."""

    total: bool = Field(default=False, examples=[True])
    """Whether all groups together are kept too."""

    where: Where = Field(default_factory=dict, examples=[{"currency": "EUR"}])
    """Attributes and the values that they must equal for an item to count."""

    publish: PublishConfig | None = Field(default=None, examples=[{"key": "{platform}", "channel": "aggregates"}])
    """Names for other applications; without it only Dynalens' own keys are kept."""

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the values of each group, as the HTTP API gives them: `count`, `amount_sum`, `amount_avg`."""
        asked: dict[str, Iterable[str]] = {
            "sum": self.sum,
            "avg": self.avg,
            "min": self.min,
            "max": self.max,
            "distinct": self.distinct,
            "approximate_distinct": self.approximate_distinct,
        }
        counted = ("count",) if self.count else ()
        return (*counted, *(f"{attribute}_{kind}" for kind, attributes in asked.items() for attribute in attributes))

    @property
    def members(self) -> tuple[str, ...]:
        """Names of what a group is told by: the bucket, called `time`, where there are buckets, then `group_by`."""
        return (TIME_MEMBER, *self.group_by) if self.every else self.group_by

    @property
    def keep_seconds(self) -> int:
        """How long buckets are kept; 0 where there are none."""
        if self.every is None:
            return 0
        return self.keep.seconds if self.keep else KEPT_BUCKETS * self.every.seconds


class SearchConfig(Section):
    """How a collection is searched. Every attribute is, without a word here."""

    fields: Paths = Field(default=(), examples=[["address.city", "title"]])
    """Paths, attribute names joined by dots, that can be searched by name however many other paths there are."""

    settings: dict[str, Any] = Field(default_factory=dict, examples=[{"number_of_replicas": 1}])
    """Settings of the index on OpenSearch or Elasticsearch, as in their references: shards, replicas and others."""

    geo: dict[Annotated[str, Field(min_length=1)], PointPaths] = Field(
        default_factory=dict, examples=[{"location": ["address.lat", "address.lon"]}]
    )
    """Points to search by, by name: the paths of the latitude and of the longitude, or the path of a map of `lat` and
    `lon`, a text `lat,lon`, or a list of longitude and latitude, as in GeoJSON."""


class CollectionConfig(Section):
    """The live copy of one table, or of one item type in it."""

    table: str = Field(examples=["Donations"])
    """The table's name."""

    item_type: str | None = Field(default=None, min_length=1, examples=["order"])
    """Item type, in lower case: an item belongs here where its type attribute, lower-cased, equals it. `default` takes
    the items that have no such attribute, or one that is no string or names no item type of the table's collections."""

    type_attribute: AttributeName = Field(default="TYPE", examples=["TYPE"])
    """Attribute that names an item's type; the same one for all item types of a table."""

    where: Where = Field(default_factory=dict, examples=[{"TYPE": "user"}])
    """Attributes and the values that they must equal for an item to belong here."""

    search: SearchConfig = Field(default=SearchConfig(), examples=[{"fields": ["address.city", "title"]}])
    """How the collection is searched."""

    metrics: dict[Name, MetricConfig] = Field(
        default_factory=dict, examples=[{"by_platform": {"group_by": "platform", "count": True}}]
    )
    """Continuous aggregates of the collection, by name."""

    _named_types: frozenset[str] = PrivateAttr(default=frozenset())

    @property
    def named_types(self) -> frozenset[str]:
        """The item types, `default` not among them, that collections of the same table name.

        Only a collection of item type `default` has them, once it is part of a `Config`: what it holds depends on them.
        """
        return self._named_types

    def among(self, collections: Iterable[CollectionConfig]) -> Self:
        """Give the collection as it is among all collections of a file: with its `named_types`."""
        if self.item_type != DEFAULT_ITEM_TYPE:
            return self
        types = {other.item_type for other in collections if other.table == self.table} - {DEFAULT_ITEM_TYPE}
        return self.naming(filter(None, types))

    def naming(self, item_types: Iterable[str]) -> Self:
        """Give the collection with these `named_types`."""
        found = self.model_copy()
        found._named_types = frozenset(item_types)  # noqa: SLF001 - its own, just made
        return found


class ServerConfig(Section):
    """Where the server listens."""

    host: str = Field(default="127.0.0.1", min_length=1, examples=["127.0.0.1"])
    """Address to listen on: a loopback address, for there are no keys yet."""

    port: int = Field(default=7070, ge=0, le=65535, examples=[7070])
    """Port to listen on; 0 takes a free one, which `dynalens up` prints."""


class Config(Section):
    """The whole file."""

    later = frozenset({"queries"})

    source: SourceConfig = Field(default=SourceConfig(), examples=[{"region": "eu-west-1"}])
    """Where the tables are."""

    targets: TargetsConfig = Field(
        default=TargetsConfig(search=EMBEDDED_SEARCH, sql=EMBEDDED_SQL, metrics=EMBEDDED_METRICS),
        examples=[{"sql": EMBEDDED_SQL}],
    )
    """Where collections are kept. Without it the embedded ones; with it only those that it names."""

    collections: dict[Name, CollectionConfig] = Field(min_length=1, examples=[{"donations": {"table": "Donations"}}])
    """The collections, by name."""

    store: str | None = Field(default=None, examples=["dynamodb://dynalens"])
    """Where positions, dead letters and reports are kept. Without it in a local file, for one machine;
    `dynamodb://TABLE` is a table that several workers share, which `dynalens store create` makes. Region and address
    are those of `source` unless it ends in `?region=REGION&endpoint_url=URL`."""

    server: ServerConfig = Field(default=ServerConfig(), examples=[{"port": 7070}])
    """Where the server listens."""

    dashboards: Patterns = Field(default=(), examples=["dashboards/*.yaml"])
    """Files of dashboards, relative to this one; `*` stands for any name. Without it each collection has one."""

    path: SkipJsonSchema[Path] = Field(default=Path("dynalens.yaml"), exclude=True, repr=False)
    """The file that this was read from. Set by `load`; no setting of the file."""

    @field_validator("collections")
    @classmethod
    def _among_one_another(cls, collections: dict[str, CollectionConfig]) -> dict[str, CollectionConfig]:
        return {name: collection.among(collections.values()) for name, collection in collections.items()}

    @property
    def data_folder(self) -> Path:
        """Where embedded targets and the local position store keep their files: `data` beside the file."""
        return self.path.parent / "data"
