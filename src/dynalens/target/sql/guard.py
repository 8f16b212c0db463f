"""What a query may do: an allowlist over the engine's own parse.

The engine parses the query to a tree (its function `parseQueryToJSON`, which takes the text as a value and runs
nothing), and every node of the tree must be known here, with every key that it carries. So what a new version of the
engine adds is refused until someone looked at it. The text that is run is the engine's own rendering of the tree that
was checked, never the text that was sent.

Behind this stands a second wall, of the engine: queries run read-only under a role that may select from the views
alone (`engine`). It does not hold functions such as `file`, which this one does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from dynalens.errors import NotFoundError, QueryRefusedError

Node = Mapping[str, Any]


class FunctionEntry(NamedTuple):
    """A row of the engine's `system.functions`."""

    name: str
    alias_to: str
    case_insensitive: bool
    aggregate: bool
    category: str
    deterministic: bool | None


# Functions.

_PURE_CATEGORIES = {
    "Aggregate Functions", "Arithmetic", "Arrays", "Bit", "Bitmap", "Comparison", "Conditional", "Dates and Times",
    "Distance", "Encoding", "Financial", "Geo", "Hash", "IP Address", "JSON", "Logical", "Map",
    "Mathematical", "Null", "Rounding", "String", "String Replacement", "String Search", "String Splitting",
    "Time Window", "Tuple", "Type Conversion", "URL", "UUID",
}  # fmt: skip
"""Categories whose functions compute from their arguments alone."""

_ALSO_ALLOWED = {
    # Of the categories "Other" and "Internal".
    "bar", "byteSize", "caseWithExpression", "countDigits", "formatReadableDecimalSize", "formatReadableQuantity",
    "formatReadableSize", "formatReadableTimeDelta", "identity", "isDecimalOverflow", "materialize",
    "parseReadableSize", "parseReadableSizeOrNull", "parseReadableSizeOrZero", "parseTimeDelta", "toTypeName",
    "transform", "variantElement", "variantType",
    # Not deterministic, and harmless: the time, chance, and what unfolds rows.
    "UTCTimestamp", "arrayJoin", "arrayPartialReverseSort", "arrayPartialShuffle", "arrayPartialSort",
    "arrayRandomSample", "arrayShuffle", "financialNetPresentValueExtended", "generateUUIDv4", "generateUUIDv7",
    "localtime", "now", "now64", "nowInBlock", "rand", "rand64", "randUniform", "randNormal", "rowNumberInAllBlocks",
    "today", "yesterday",
}  # fmt: skip

_REFUSED = {
    # Fails on purpose; profiles the process.
    "aggThrow", "flameGraph",
    # Format names lead to schema files.
    "formatRow", "formatRowNoNewline", "groupFormat",
    # Reads bytes as a value of any type, the inner state of an aggregate among them, which the engine trusts.
    "reinterpret",
    # Quadratic in the length of a text, an array or a shape: one call outlasts the time limit, which is looked at
    # between calls.
    "arrayAutocorrelation", "arrayLevenshteinDistance", "arrayLevenshteinDistanceWeighted", "arraySimilarity",
    "damerauLevenshteinDistance", "editDistance", "editDistanceUTF8", "geometryIntersectCartesian",
    "geometryIntersectSpherical", "jaroSimilarity", "jaroWinklerSimilarity", "kolmogorovSmirnovTest",
    "polygonsIntersectCartesian", "polygonsIntersectSpherical",
}  # fmt: skip

_SYNTAX = {"lambda", "exists", "grouping"}
"""Functions of the parse tree that no list of functions has."""

_MOST_COMBINATORS = 5
_MEMBERSHIP = {"in", "notIn", "nullIn", "notNullIn"}
_NAMING_AGGREGATES = {"arrayReduce", "arrayReduceInRanges"}
_CASTS = {"CAST", "accurateCast", "accurateCastOrNull", "accurateCastOrDefault"}
_INNER_STATE = "aggregatefunction"
_REFUSED_PREFIXES = ("global", "kql", "__")
_REFUSED_SUFFIXES = ("IgnoreSet",)


class Functions:
    """The functions that queries may call, by the names that the engine knows them under.

    Args:
        entries: The engine's list.
        combinators: Suffixes of aggregate functions, such as `If` in `sumIf`.
    """

    def __init__(self, entries: Iterable[FunctionEntry], combinators: Iterable[str]) -> None:
        listed = list(entries)
        allowed = {entry.name for entry in listed if _is_allowed(entry)}
        self._exact: dict[str, str] = {name: name for name in _SYNTAX}
        self._folded: dict[str, str] = {}
        self._aggregates = {entry.name for entry in listed if entry.aggregate}
        for entry in listed:
            name = entry.alias_to or entry.name
            if name in allowed:
                self._exact[entry.name] = name
                if entry.case_insensitive:
                    self._folded[entry.name.lower()] = name
        # State and Merge carry inner states of aggregates from place to place; no view holds any.
        self._combinators = sorted(set(combinators) - {"State", "SimpleState", "Merge"}, key=len, reverse=True)

    @property
    def names(self) -> frozenset[str]:
        """Every name a query may write, aliases included."""
        return frozenset(self._exact)

    def resolve(self, name: str) -> str | None:
        """Give the engine's own name of a function that queries may call, None for every other."""
        own_name = self._named(name)
        return own_name if own_name is not None else self._combined(name)

    def _named(self, name: str) -> str | None:
        return self._exact.get(name) or self._folded.get(name.lower())

    def _combined(self, name: str) -> str | None:
        """Take combinators off the end, one after the other: `sumIfOrNull`, `uniqArrayIf`."""
        for _ in range(_MOST_COMBINATORS):
            combinator = next((suffix for suffix in self._combinators if name.endswith(suffix)), "")
            name = name.removesuffix(combinator)
            own_name = self._named(name)
            if own_name is not None or not combinator:
                return own_name if own_name in self._aggregates else None
        return None


def _is_allowed(entry: FunctionEntry) -> bool:
    name = entry.name
    if entry.alias_to or name in _REFUSED or name.startswith(_REFUSED_PREFIXES) or name.endswith(_REFUSED_SUFFIXES):
        return False
    return name in _ALSO_ALLOWED or (entry.category in _PURE_CATEGORIES and entry.deterministic is not False)


# The tree.

_QUERY_FLAGS = {"is_outfile_append", "is_outfile_truncate", "is_into_outfile_with_stdout"}

_KEYS: Mapping[str, frozenset[str]] = {
    kind: frozenset(keys.split()) | {"type"}
    for kind, keys in {
        "SelectWithUnionQuery": "union_mode list_of_modes list_of_selects " + " ".join(_QUERY_FLAGS),
        "SelectIntersectExceptQuery": "final_operator children list_of_selects",
        "SelectQuery": (
            "with recursive_with cte_aliases select distinct distinct_on tables prewhere where group_by group_by_all"
            " group_by_with_totals group_by_with_rollup group_by_with_cube group_by_with_grouping_sets having window"
            " qualify order_by order_by_all interpolate limit_by limit_by_length limit_by_offset limit_length"
            " limit_offset limit_with_ties"
        ),
        "WithElement": "name subquery is_materialized aliases",
        "ExpressionList": "children",
        "Subquery": "children alias cte_name",
        "TablesInSelectQuery": "children",
        "TablesInSelectQueryElement": "table_expression table_join array_join",
        "TableExpression": "database_and_table_name subquery column_aliases final sample_size sample_offset",
        "TableIdentifier": "name name_parts alias",
        "TableJoin": "kind strictness on_expression using_expression_list is_natural",
        "ArrayJoin": "kind expression_list",
        "SampleRatio": "numerator denominator",
        "Function": (
            "name arguments parameters alias is_operator is_lambda_function kind nulls_action window_definition"
            " window_name is_window_function"
        ),
        "Identifier": "name name_parts alias",
        "Literal": "value alias",
        "QueryParameter": "name param_type alias",
        "Asterisk": "transformers expression",
        "QualifiedAsterisk": "qualifier transformers",
        "ColumnsRegexpMatcher": "pattern transformers expression",
        "ColumnsListMatcher": "column_list transformers expression",
        "QualifiedColumnsRegexpMatcher": "qualifier pattern transformers",
        "QualifiedColumnsListMatcher": "qualifier column_list transformers",
        "ColumnsTransformerList": "children",
        "ColumnsApplyTransformer": "func_name parameters lambda lambda_arg column_name_prefix",
        "ColumnsExceptTransformer": "pattern children is_strict",
        "ColumnsReplaceTransformer": "children is_strict",
        "ColumnsReplaceTransformerReplacement": "name children",
        "OrderByElement": (
            "direction nulls_direction nulls_direction_was_explicitly_specified with_fill expression collation"
            " fill_from fill_to fill_step fill_staleness"
        ),
        "InterpolateElement": "column expr",
        "WindowDefinition": (
            "parent_window_name partition_by order_by frame_is_default frame_type frame_begin_type frame_begin_offset"
            " frame_begin_preceding frame_end_type frame_end_offset frame_end_preceding"
        ),
        "WindowListElement": "name definition",
    }.items()
}
"""Every kind of node that a query may hold, with every key that the node may have."""

_HINTS: Mapping[str, str] = {
    "settings": "Leave the SETTINGS clause out: limits are set by the server.",
    "SetQuery": "Leave the SETTINGS clause out: limits are set by the server.",
    "format_ast": 'Leave FORMAT out and ask for a format with the request: "json", "ndjson", "csv" or "parquet".',
    "out_file": "Leave INTO OUTFILE out: the answer is what the request returns.",
    "locality": "Leave GLOBAL out: there is one engine.",
    "children": "Write names into the query; parameters carry values.",
}
_CLAUSES: Mapping[str, str] = {
    "format_ast": "FORMAT",
    "out_file": "INTO OUTFILE",
    "locality": "GLOBAL",
    "children": "A name given as a parameter",
}
_COLLECTIONS_ONLY = "Read from a collection by its name; for a series of numbers write system.numbers with LIMIT."
_PURE_ONLY = "Queries call functions that compute from their arguments alone; docs/sql.md lists the kinds."
ONLY_SELECT = "Write one SELECT over your collections, or DESCRIBE and a collection's name."

_FOREIGN_DATABASES = {"system", "information_schema"}
_SYSTEM_TABLES = {"one", "numbers"}


@dataclass(slots=True)
class Checked:
    """A query that may run: its text, and the types of its parameters by name."""

    text: str
    parameters: dict[str, str] = field(default_factory=dict)


class Guard:
    """Checks parse trees against the allowlist.

    Args:
        functions: The functions that queries may call.
        views: The database of the views.
        private: The database of the physical tables, which nothing may name.
    """

    def __init__(self, functions: Functions, *, views: str, private: str) -> None:
        self._functions = functions
        self._views = views
        self._private = private

    def check(self, text: str, tree: Node, collections: Collection[str]) -> Checked:
        """Check a query by its tree, as `parseQueryToJSON` gives it for `text`, over the collections that are served.

        Raises:
            QueryRefusedError: A part of it is not on the allowlist; the message names the part.
            NotFoundError: It reads a collection that does not exist.
        """
        if tree.get("type") != "SelectWithUnionQuery":
            _refuse(f"{_statement(tree)} is not allowed", ONLY_SELECT)
        nodes = list(_nodes(tree))
        readable = {*collections, *(_defined_name(node) for node in nodes if node.get("type") == "WithElement")}
        checked = Checked(text)
        for node in nodes:
            self._check_node(node, checked, readable)
        return checked

    def _check_node(self, node: Node, checked: Checked, readable: Collection[str]) -> None:
        """Check one node by itself."""
        kind = node.get("type")
        allowed = _KEYS.get(kind) if isinstance(kind, str) else None
        if allowed is None:
            _refuse(f"{kind} is not allowed in a query", _HINTS.get(str(kind), ONLY_SELECT))
        self._check_keys(node, allowed)
        match kind:
            case "Function":
                self._check_function(node)
            case "ColumnsApplyTransformer":
                self._check_applied(node)
            case "TableIdentifier":
                self._check_table(_parts(node), readable)
            case "Identifier":
                self._check_identifier(_parts(node))
            case "QueryParameter":
                _check_parameter(node, checked)

    def _check_keys(self, node: Node, allowed: frozenset[str]) -> None:
        if "table_function" in node:
            name = node["table_function"].get("name")
            _refuse(f"The table function {name} is not open to queries", _COLLECTIONS_ONLY)
        for key in node.keys() - allowed:
            clause = _CLAUSES.get(key, key.replace("_", " ").upper())
            _refuse(f"{clause} is not allowed in a query", _HINTS.get(key, "Write the query without it."))
        for flag in _QUERY_FLAGS & node.keys():
            if node[flag] is not False:
                _refuse("INTO OUTFILE is not allowed in a query", _HINTS["out_file"])

    def _check_function(self, node: Node) -> None:
        name = str(node.get("name"))
        own_name = self._functions.resolve(name)
        if own_name is None:
            _refuse(f"The function {name} is not allowed in a query", _function_hint(name))
        if own_name in _MEMBERSHIP:
            self._check_right_side(node)
        if own_name in _CASTS:
            _check_cast(node)
        if own_name in _NAMING_AGGREGATES:
            self._check_named_aggregate(node)

    def _check_named_aggregate(self, node: Node) -> None:
        """`arrayReduce('sum', ...)` calls a function by a text; parameters may stand behind its name."""
        named = _literal_text(_children(node.get("arguments"))[:1])
        if named is None or self._functions.resolve(named.partition("(")[0].strip()) is None:
            _refuse(f"The aggregate {named} is not allowed in {node.get('name')}", "Name a plain one: 'sum', 'uniq'.")

    def _check_applied(self, node: Node) -> None:
        """`* APPLY(f)` names a function without being one in the tree."""
        name = node.get("func_name")
        if name is None:
            return
        own_name = self._functions.resolve(str(name))
        if own_name is None or own_name in _MEMBERSHIP | _CASTS:
            _refuse(f"The function {name} is not allowed in APPLY", "Write it out for each column.")

    def _check_right_side(self, node: Node) -> None:
        """`x IN name` reads the table of that name, where there is one."""
        for argument in _children(node.get("arguments"))[1:]:
            if argument.get("type") != "Identifier":
                continue
            parts = _parts(argument)
            if len(parts) > 1 and parts[0].lower() in _FOREIGN_DATABASES:
                _refuse(f"The table {'.'.join(parts)} is not open to queries", _COLLECTIONS_ONLY)

    def _check_table(self, parts: Sequence[str], readable: Collection[str]) -> None:
        match parts:
            case [name] if name in readable:
                return
            case [self._views, name] if name in readable:
                return
            case ["system", name] if name in _SYSTEM_TABLES:
                return
        hint = f"Collections: {', '.join(sorted(readable)) or 'none yet'}."
        if len(parts) == 1 and parts[0].isidentifier():
            raise NotFoundError(f"There is no collection {parts[0]}.", hint=hint)
        _refuse(f"The table {'.'.join(parts)} is not open to queries", hint)

    def _check_identifier(self, parts: Sequence[str]) -> None:
        if parts[0] == self._private:
            _refuse(
                f"The name {'.'.join(parts)} is not open to queries",
                f"Rename an attribute that is called {self._private}, or read it from _doc.",
            )


def _nodes(tree: Node) -> Iterator[Node]:
    """Give every node of a tree. A loop of its own: a hostile query's tree is deeper than Python's stack."""
    waiting: list[object] = [tree]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            yield value
            # What a literal holds is data.
            waiting += () if value.get("type") == "Literal" else value.values()
        elif isinstance(value, list):
            waiting += value


def _defined_name(node: Node) -> str:
    """Give the name that a WITH defines. A plain one: what looks like a path could be read as one elsewhere."""
    name = str(node.get("name"))
    if not name.isidentifier():
        _refuse(f"The name {name!r} is not allowed in WITH", "Use letters, digits and underscores.")
    return name


def _check_cast(node: Node) -> None:
    """A cast to `AggregateFunction` would read a text's bytes as the inner state of an aggregate, which is trusted."""
    arguments = _children(node.get("arguments"))
    if len(arguments) < 2:  # noqa: PLR2004 - a value and a type
        return
    type_ = _literal_text(arguments[1:2])
    if type_ is None or _INNER_STATE in type_.lower():
        _refuse("This cast is not allowed in a query", "Cast to a plain type, written as it is: x::Decimal(38, 2).")


def _check_parameter(node: Node, checked: Checked) -> None:
    name, type_ = str(node.get("name")), str(node.get("param_type"))
    if type_.strip().lower() == "identifier":
        _refuse(f"The parameter {name} is an Identifier", "Write names into the query; parameters carry values.")
    if _INNER_STATE in type_.lower():
        _refuse(f"The parameter {name} has a type that is not allowed", "Use a plain type such as String or UInt64.")
    if not (name.isascii() and name.isidentifier()):
        _refuse(f"The parameter name {name!r} is not allowed", "Use letters, digits and underscores.")
    checked.parameters[name] = type_


def _parts(node: Node) -> list[str]:
    """Give the parts of a name: `name_parts` where it has several, else the whole as one, dots included."""
    parts = node.get("name_parts")
    if parts is None:
        return [str(node.get("name"))]
    return [str(part) for part in parts]


def _children(node: object) -> Sequence[Node]:
    children = node.get("children") if isinstance(node, Mapping) else None
    return children if isinstance(children, list) else []


def _literal_text(nodes: Sequence[Node]) -> str | None:
    """Give the text of the first node; None when it is no text that stands there as it is."""
    value = nodes[0].get("value") if nodes else None
    if not isinstance(value, Mapping) or value.get("field_type") != "String":
        return None
    return str(value.get("value"))


def _statement(tree: Node) -> str:
    return str(tree.get("type", "This statement")).removesuffix("Query")


def _function_hint(name: str) -> str:
    return "Join the collections instead." if name.lower().startswith(("dict", "joinget")) else _PURE_ONLY


def _refuse(message: str, hint: str) -> NoReturn:
    raise QueryRefusedError(f"{message}.", hint=hint)
