"""What requests and answers look like: the source of the OpenAPI document, and of validation where we build answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dynalens.server.limits import LETTERS_PER_ANSWER, SCROLLS, SQL_CHARACTERS, SQL_PARAMETERS
from dynalens.status import Phase

LetterNumber = Annotated[int, Field(ge=1, le=2**53 - 1)]
LetterState = Literal["waiting", "redrive", "done"]
Json = Any


class ErrorDetail(BaseModel):
    """What went wrong, and what to do instead."""

    code: str = Field(description="A stable name of the reason.")
    message: str
    hint: str = Field(description="What to write, run or change instead; may be empty.")


class ErrorAnswer(BaseModel):
    """The one shape of every error."""

    error: ErrorDetail


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"]
    version: str


class Ready(BaseModel):
    """This process can answer."""

    ready: Literal[True]
    caught_up: bool


class NotReadyReason(BaseModel):
    """Why one collection in one target is not ready (or, if asked for, not caught up)."""

    collection: str
    target: str
    phase: Phase
    reason: str = Field(description="All that is known of why.")
    hint: str = Field(description="What to do about the last error; empty without one.")


class NotReady(ErrorAnswer):
    """This process cannot answer for everything yet."""

    reasons: list[NotReadyReason]


class GapStatus(BaseModel):
    """Changes that were lost to a target; times in epoch seconds, 0 where unknown."""

    partition: str
    since: float
    until: float
    reason: str
    found_at: float


class TargetStatus(BaseModel):
    """One collection in one target."""

    collection: str
    target: str
    table: str
    phase: Phase
    ready: bool = Field(description="The first copy is complete.")
    caught_up: bool
    generation: int
    stalled: bool = Field(
        description="No successful poll, or changes read and none confirmed, for 10 s; also where the phase is `gap`."
    )
    progress: float = Field(description="Share of the running scan that is done, 0 to 1.")
    scanned: int = Field(description="Rows of the running scan that are applied, of the whole table; 0 without one.")
    scan_total: int = Field(
        description="Rows that the running scan may read: DynamoDB's estimate, up to six hours old; 0 without a scan."
    )
    lag_seconds: float = Field(description="Age of the oldest change that may be unconfirmed.")
    documents: int | None = Field(description="Live documents; null where the target does not count them now.")
    waiting: int = Field(description="Changes read and not yet confirmed, of the whole table.")
    dead_letters: int
    gaps: list[GapStatus]
    verified_at: float = Field(
        description="When the newest verification of this generation ended, of those that compared every document or"
        " left differences; epoch seconds, 0 without one."
    )
    differences: int = Field(description="Documents that it found to differ from their items and did not repair.")
    error: ErrorDetail | None = Field(description="The last error, null when the last attempt went well.")


class PositionStatus(BaseModel):
    """How far one open partition has been applied to one target."""

    table: str
    target: str
    partition: str
    kind: Literal["shard", "segment"] = Field(description="Of the table's stream, or of a running scan.")
    position: str = Field(description="Sequence number or scan key; empty before the first.")


class StatusAnswer(BaseModel):
    """Everything that moves; times in epoch seconds."""

    version: str
    started_at: float
    now: float
    collections: list[TargetStatus]
    positions: list[PositionStatus]
    dead_letters: int = Field(description="All that wait, those of records that could not be decoded included.")


class CollectionName(BaseModel):
    """One collection."""

    name: str
    table: str
    metrics: list[str]


class CollectionsAnswer(BaseModel):
    """All collections."""

    collections: list[CollectionName]


class FieldAnswer(BaseModel):
    """One top-level attribute of a collection's documents."""

    name: str
    types: dict[str, int] = Field(description="JSON types seen, with the number of documents.")
    column: str = Field(description="Type of the SQL column.")
    drift: int = Field(description="Documents whose value does not fit the column; it is NULL there, whole in _doc.")


class CollectionAnswer(CollectionName):
    """One collection with its fields."""

    documents: int
    fields: list[FieldAnswer]


class DocumentAnswer(BaseModel):
    """One document, its JSON as it is stored."""

    id: str
    document: dict[str, Json]


class PlainHit(BaseModel):
    """One match."""

    id: str
    score: float | None = Field(description="Null where the order is not by score.")
    document: dict[str, Json]
    highlight: dict[str, list[str]] | None = Field(
        default=None, description="Present where asked for: by field, the passages that matched."
    )


class FacetCount(BaseModel):
    """One value of a field, and how many matches have it."""

    value: Json
    count: int


class PlainSearchAnswer(BaseModel):
    """Matches, best first unless asked otherwise."""

    total: int = Field(description="All matches, counted exactly.")
    took_ms: int
    hits: list[PlainHit]
    facets: dict[str, list[FacetCount]] = Field(description="By field, most frequent first; empty if none were asked.")


class Shards(BaseModel):
    """The parts of an index that took part: a collection is one."""

    total: int
    successful: int
    skipped: int
    failed: int


class ElasticsearchTotal(BaseModel):
    """How many matches there are."""

    value: int
    relation: Literal["eq", "gte"] = Field(description="`gte`: at least, where `track_total_hits` is a number.")


class ElasticsearchHit(BaseModel):
    """One match as Elasticsearch gives it."""

    index: str = Field(alias="_index", description="The collection.")
    id: str = Field(alias="_id")
    score: float | None = Field(alias="_score")
    source: dict[str, Json] | None = Field(default=None, alias="_source", description="Missing with `_source: false`.")
    highlight: dict[str, list[str]] | None = None
    sort: list[Json] | None = None


class ElasticsearchHits(BaseModel):
    """The matches asked for."""

    total: ElasticsearchTotal | None = Field(default=None, description="Missing with `track_total_hits: false`.")
    max_score: float | None
    hits: list[ElasticsearchHit]


class ElasticsearchAnswer(BaseModel):
    """What Elasticsearch answers to a search."""

    scroll_id: str | None = Field(default=None, alias="_scroll_id", description="Present where `scroll` was asked for.")
    took: int = Field(description="Milliseconds.")
    timed_out: Literal[False]
    shards: Shards = Field(alias="_shards")
    hits: ElasticsearchHits
    aggregations: dict[str, dict[str, Json]] | None = Field(default=None, description="By name, where `aggs` asked.")


class CountAnswer(BaseModel):
    """What Elasticsearch answers to a count."""

    count: int
    shards: Shards = Field(alias="_shards")


class SourceAnswer(BaseModel):
    """One document as Elasticsearch gives it."""

    index: str = Field(alias="_index")
    id: str = Field(alias="_id")
    found: Literal[True]
    source: dict[str, Json] = Field(alias="_source")


class ScrollRequest(BaseModel):
    """The next page of a scroll."""

    model_config = ConfigDict(extra="forbid", strict=True)

    scroll_id: str = Field(min_length=1, description="`_scroll_id` of the page before.")
    scroll: str | None = Field(default=None, description="How long to keep the scroll from now on, such as `5m`.")


class ClearScrollRequest(BaseModel):
    """Scrolls that are read to their end."""

    model_config = ConfigDict(extra="forbid", strict=True)

    scroll_id: Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(min_length=1, max_length=SCROLLS)]


class ClearScrollAnswer(BaseModel):
    """How many scrolls were closed."""

    succeeded: Literal[True]
    num_freed: int


class SqlRequest(BaseModel):
    """One query."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, description=f"One SELECT, up to {SQL_CHARACTERS} characters.")
    parameters: dict[str, Json] = Field(
        default_factory=dict, max_length=SQL_PARAMETERS, description="Values of {name:Type} in the query."
    )
    format: Literal["json", "ndjson", "csv", "parquet"] = "json"


class SqlColumn(BaseModel):
    """One column of an answer."""

    name: str
    type: str


class SqlAnswer(BaseModel):
    """Rows, every digit as the engine gave it."""

    columns: list[SqlColumn]
    rows: list[list[Json]]
    statistics: dict[str, Json]


class MetricGroupAnswer(BaseModel):
    """One group."""

    group: dict[str, Json]
    values: dict[str, Json]
    exact: bool = Field(default=True, description="Present and false while a dead letter is missing from it.")


class MetricAnswer(BaseModel):
    """A metric with all its groups."""

    metric: str
    groups: list[MetricGroupAnswer]
    total: dict[str, Json] | None = Field(description="Values over all groups; null where the metric keeps none.")
    exact: bool = Field(default=True, description="Present and false where not everything is counted.")
    phase: Phase | None = Field(default=None, description="Present where `exact` is.")


class ValuePanel(BaseModel):
    """What panels of a metric have in common."""

    title: str
    metric: str = Field(description="The metric, as collection and name.")
    value: str = Field(description="Which of the metric's values.")
    unit: str | None = Field(description="Of the value: a currency's three letters, or any short text.")


class NumberPanel(ValuePanel):
    """A metric's total, or its only group."""

    show: Literal["number"] = "number"
    goal: float | None = Field(description="What the number is to reach.")


class BarsPanel(ValuePanel):
    """A bar for each group of a metric."""

    show: Literal["bars"] = "bars"


class LinePanel(ValuePanel):
    """A metric over time."""

    show: Literal["line"] = "line"
    every_seconds: int = Field(description="Length of a time bucket.")


class LatestPanel(BaseModel):
    """The newest documents of a collection."""

    show: Literal["latest"] = "latest"
    title: str
    collection: str
    sort: str | None = Field(description="The attribute that is highest in the newest document.")
    fields: list[str] = Field(description="Attributes to show; empty: the first few.")
    size: int = Field(description="How many documents.")


PanelAnswer = Annotated[NumberPanel | BarsPanel | LinePanel | LatestPanel, Field(discriminator="show")]
"""One panel, every default filled in."""


class DashboardName(BaseModel):
    """One dashboard."""

    name: str
    title: str


class DashboardsAnswer(BaseModel):
    """All dashboards."""

    dashboards: list[DashboardName]


class DashboardAnswer(DashboardName):
    """One dashboard with its panels."""

    panels: list[PanelAnswer]


class PositionAnswer(BaseModel):
    """How far a collection's table is applied to a target."""

    collection: str
    target: str
    table: str
    applied: float | None = Field(description="When the newest change that is applied was made; null: unknown.")
    age_ms: int | None = Field(description="How old what is read there may be; null: no worker has said it.")
    position: str = Field(description="What wait_for=position:… takes. Opaque.")


class LetterSummary(BaseModel):
    """One dead letter without its record. Versions are texts: they do not fit JavaScript's numbers."""

    number: int
    table: str
    target: str
    collection: str = Field(description="Empty where the record could not be decoded.")
    generation: int
    document_id: str
    version: str
    partition: str
    sequence_number: str
    created_at: float
    stored_at: float
    code: str
    message: str
    state: LetterState


class LettersAnswer(BaseModel):
    """Dead letters, oldest first."""

    dead_letters: list[LetterSummary]


class LetterAnswer(LetterSummary):
    """One dead letter with its whole record in DynamoDB JSON."""

    record: Json


class RedriveRequest(BaseModel):
    """Which dead letters to apply again."""

    model_config = ConfigDict(extra="forbid", strict=True)

    numbers: Annotated[list[LetterNumber], Field(min_length=1, max_length=LETTERS_PER_ANSWER)] | None = Field(
        description="Their numbers, or null for all that wait."
    )


class RedriveAnswer(BaseModel):
    """How many dead letters will be applied again."""

    requested: int
