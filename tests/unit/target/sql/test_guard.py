"""The allowlist by itself, against parse trees made up here; the engine's own are in `test_queries`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from dynalens.errors import NotFoundError, QueryRefusedError
from dynalens.target.sql.embedded import LAYOUT, EmbeddedEngine
from dynalens.target.sql.engine import rows
from dynalens.target.sql.guard import FunctionEntry, Functions, Guard

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def entry(name: str, category: str, *, alias_to: str = "", marks: str = "") -> FunctionEntry:
    """A row of the engine's list; marks: `~` whatever its case, `+` an aggregate, `!` another answer each time."""
    return FunctionEntry(name, alias_to, "~" in marks, "+" in marks, category, "!" not in marks)


FUNCTIONS = Functions(
    [
        entry("sum", "Aggregate Functions", marks="~+"),
        entry("uniq", "Aggregate Functions", marks="+"),
        entry("lower", "String", marks="~"),
        entry("lcase", "", alias_to="lower", marks="~"),
        entry("in", "Comparison"),
        entry("plus", "Arithmetic"),
        entry("newcomer", "Unheard Of"),
        entry("surprise", "String", marks="!"),
        entry("file", "Other", marks="!"),
        entry("load", "", alias_to="file", marks="~!"),
        entry("now", "Dates and Times", marks="~!"),
        entry("globalIn", "Comparison"),
        entry("inIgnoreSet", "Comparison"),
    ],
    ["If", "OrNull", "State", "Merge"],
)
GUARD = Guard(FUNCTIONS, views=LAYOUT.views, private=LAYOUT.tables)
ONE = {"type": "Literal", "value": {"field_type": "UInt64", "value": 1}}


def select(*expressions: dict[str, Any], **clauses: object) -> dict[str, Any]:
    query = {"type": "SelectQuery", "select": {"type": "ExpressionList", "children": list(expressions)}, **clauses}
    return {"type": "SelectWithUnionQuery", "list_of_selects": {"type": "ExpressionList", "children": [query]}}


def function(name: str, *arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Function", "name": name, "arguments": {"type": "ExpressionList", "children": list(arguments)}}


def reading(table: dict[str, Any]) -> dict[str, Any]:
    expression = {"type": "TableExpression", "database_and_table_name": {"type": "TableIdentifier", **table}}
    return {
        "type": "TablesInSelectQuery",
        "children": [{"type": "TablesInSelectQueryElement", "table_expression": expression}],
    }


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("sum", "sum"),
        ("SUM", "sum"),
        ("sumIf", "sum"),
        ("sumIfOrNull", "sum"),
        ("SUMIf", "sum"),
        ("lcase", "lower"),
        ("LCASE", "lower"),
        ("Now", "now"),
        ("lambda", "lambda"),
        ("UNIQ", None),
        ("lowerIf", None),
        ("If", None),
        ("", None),
        ("sumState", None),
        ("sumMerge", None),
        ("sumStateIf", None),
        ("file", None),
        ("load", None),
        ("LOAD", None),
        ("newcomer", None),
        ("surprise", None),
        ("globalIn", None),
        ("inIgnoreSet", None),
        ("unheardOf", None),
    ],
)
def test_a_function_is_known_by_its_name_its_alias_and_its_combinators(name: str, own: str | None) -> None:
    assert FUNCTIONS.resolve(name) == own


def test_a_known_query_passes() -> None:
    assert GUARD.check("SELECT 1", select(function("sum", ONE)), []).text == "SELECT 1"


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"type": "InsertQuery"},
        {"type": "SelectQuery"},
        {"type": ["SelectWithUnionQuery"]},
        select({"type": "Newcomer"}),
        select({"value": 1}),
        select({"type": None}),
        select(ONE | {"newcomer": 1}),
        select(ONE, newcomer=True),
        select(ONE, newcomer=None),
        select(function("sum", ONE) | {"children": []}),
        select(ONE) | {"is_outfile_append": True},
        select(ONE) | {"is_outfile_append": None},
    ],
    ids=str,
)
def test_what_is_not_known_is_refused(tree: dict[str, Any]) -> None:
    with pytest.raises(QueryRefusedError) as refused:
        GUARD.check("", tree, [])
    assert refused.value.hint


def test_a_refused_part_is_found_however_deep_it_stands() -> None:
    tree = function("file", ONE)
    for _ in range(5_000):
        tree = function("plus", ONE, tree)
    with pytest.raises(QueryRefusedError, match="file"):
        GUARD.check("", select(tree), [])


@pytest.mark.parametrize(
    "table",
    [
        {"name": "_dynalens.t", "name_parts": ["_dynalens", "t"]},
        {"name": "_dynalens.t"},
        {"name": "system.tables", "name_parts": ["system", "tables"]},
        {"name": "default.donations", "name_parts": ["default", "donations"]},
        {"name": "dynalens.other", "name_parts": ["dynalens", "other"]},
        {"name": "donations", "name_parts": ["a", "dynalens", "donations"]},
        {"name": "donations", "name_parts": []},
        {"name": "/etc/passwd"},
        {"name": ""},
        {"name": "donations", "children": [{"type": "QueryParameter", "name": "t", "param_type": "Identifier"}]},
    ],
    ids=str,
)
def test_no_other_table_is_read(table: dict[str, Any]) -> None:
    with pytest.raises(QueryRefusedError):
        GUARD.check("", select(ONE, tables=reading(table)), ["donations"])


@pytest.mark.parametrize(
    "table",
    [
        {"name": "donations"},
        {"name": "donations", "alias": "x\nTableIdentifier _dynalens.t"},
        {"name": "dynalens.donations", "name_parts": ["dynalens", "donations"]},
        {"name": "system.one", "name_parts": ["system", "one"]},
    ],
    ids=str,
)
def test_collections_are_read(table: dict[str, Any]) -> None:
    assert GUARD.check("SELECT", select(ONE, tables=reading(table)), ["donations"]).text == "SELECT"


def test_a_collection_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(NotFoundError) as missing:
        GUARD.check("", select(ONE, tables=reading({"name": "donation"})), ["donations"])
    assert missing.value.hint == "Collections: donations."


@pytest.mark.parametrize("parts", [["_dynalens", "t"], ["system", "tables"], ["INFORMATION_SCHEMA", "tables"]])
def test_membership_reads_no_other_table(parts: list[str]) -> None:
    table = {"type": "Identifier", "name": ".".join(parts), "name_parts": parts}
    with pytest.raises(QueryRefusedError):
        GUARD.check("", select(function("in", ONE, table)), [])


def test_parameters_are_found_with_their_types() -> None:
    parameter = {"type": "QueryParameter", "name": "least", "param_type": "Decimal(38, 2)"}
    assert GUARD.check("", select(function("plus", ONE, parameter)), []).parameters == {"least": "Decimal(38, 2)"}


# The engine's own list.


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    opened = EmbeddedEngine(tmp_path_factory.mktemp("functions"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def functions(engine: EmbeddedEngine) -> Functions:
    return engine.functions()


@pytest.fixture(scope="module")
def client(engine: EmbeddedEngine) -> Iterator[Client]:
    opened = engine.open()
    yield opened
    opened.close()


NOT_DETERMINISTIC = {
    "UTCTimestamp",
    "UTC_timestamp",
    "arrayJoin",
    "arrayPartialReverseSort",
    "arrayPartialShuffle",
    "arrayPartialSort",
    "arrayRandomSample",
    "arrayShuffle",
    "curdate",
    "current_date",
    "current_timestamp",
    "financialNetPresentValueExtended",
    "generateUUIDv4",
    "generateUUIDv7",
    "localtime",
    "localtimestamp",
    "now",
    "now64",
    "nowInBlock",
    "rand",
    "rand32",
    "rand64",
    "randNormal",
    "randUniform",
    "rowNumberInAllBlocks",
    "today",
    "unnest",
    "yesterday",
}


def test_no_function_that_looks_around_is_allowed(functions: Functions) -> None:
    """Every function that was found to read outside of its arguments, to wait, or to tell of the machine."""
    dangerous = """
        file url dictGet dictGetOrDefault dictHas dictGetHierarchy joinGet joinGetOrNull sleep sleepEachRow
        aiGenerate aiEmbed aiClassify getSetting getSettingOrDefault getServerSetting getMergeTreeSetting currentUser
        user authenticatedUser currentRoles enabledRoles currentProfiles hostName hostname FQDN fullHostName version
        revision buildId uptime getOSKernelVersion serverUUID getServerPort tcpPort getMacro showCertificate
        filesystemAvailable filesystemCapacity hasColumnInTable addressToLine addressToSymbol demangle tid logTrace
        queryID initialQueryID connectionId transactionID currentHandler currentRequestURL getClientHTTPHeader
        displayName serverTimezone timezone regionToName evalMLMethod naiveBayesClassifier initializeAggregation
        finalizeAggregation runningAccumulate formatRow formatRowNoNewline groupFormat structureToCapnProtoSchema
        structureToProtobufSchema formatQuery formatQuerySingleLine parseQueryToJSON formatQueryFromJSON fuzzQuery
        normalizeQuery obfuscateQuery highlightQuery reinterpret aggThrow flameGraph throwIf globalIn globalNotIn
        getSubcolumn getTypeSerializationStreams dumpColumnStructure blockNumber currentDatabase currentSchemas
        globalVariable partitionId __getScalar __actionName __applyFilter encrypt decrypt chdb editDistance
        levenshteinDistance jaroSimilarity timeSeriesIdToTags generateSerialID zookeeperSessionUptime mergeTreePartInfo
        isMergeTreePartCoveredBy polygonsUnionCartesian defaultRoles indexHint errorCodeToName
    """
    assert [name for name in dangerous.split() if functions.resolve(name) is not None] == []


def test_functions_that_are_not_deterministic_are_allowed_one_by_one(client: Client, functions: Functions) -> None:
    """What tells of the machine, of time or of chance has another answer each time: a new one is looked at first."""
    changing = {name for (name,) in rows(client, "SELECT name FROM system.functions WHERE deterministic = 0")}
    assert changing & functions.names == NOT_DETERMINISTIC


def test_no_function_is_of_a_kind_that_nobody_looked_at(client: Client, functions: Functions) -> None:
    listed = rows(client, "SELECT name, categories FROM system.functions WHERE alias_to = ''")
    kinds = {kind for name, kind in listed if name in functions.names}
    assert (
        kinds & {"AI", "Dictionary", "Embedded Dictionary", "Encryption", "Introspection", "Machine Learning"} == set()
    )


def test_a_name_of_combinators_without_end_is_no_function() -> None:
    assert FUNCTIONS.resolve("sum" + "If" * 100_000) is None


def test_the_functions_that_people_use_are_allowed(functions: Functions) -> None:
    wanted = """
        sum SUM count COUNT avg min max countIf sumIf uniq uniqExact quantile quantiles median argMax any anyLast
        groupArray groupUniqArray topK stddevPop varSamp corr row_number rank dense_rank lag lead first_value
        plus minus multiply divide modulo negate intDiv equals less in notIn and or not if multiIf caseWithExpression
        CAST toString toInt64 toFloat64 toDecimal128 toDate toDateTime parseDateTimeBestEffort toStartOfHour toYear
        dateDiff formatDateTime now today toIntervalDay lower upper substring concat replaceAll splitByChar trim
        like ilike match extract position length arrayJoin arrayMap arrayFilter arraySum has arrayElement tupleElement
        JSONExtractString JSONExtractRaw JSONAllPaths mapKeys coalesce ifNull nullIf isNull assumeNotNull round floor
        abs sqrt pow greatCircleDistance geohashEncode cityHash64 MD5 hex base64Encode domain path toTypeName rand
        generateUUIDv4 isIPv4String bitAnd tuple array map exists lambda
    """
    assert [name for name in wanted.split() if functions.resolve(name) is None] == []
