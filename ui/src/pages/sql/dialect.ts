import { SQLDialect } from "@codemirror/lang-sql";

/** What a SELECT of ClickHouse is written with. The library's own list has some hundred words more, of other dialects. */
const KEYWORDS =
  "all and anti any array as asc asof between by case cross cube desc describe distinct else end except exists first " +
  "following from full global group having ilike in inner intersect interval is join last left like limit not null nulls " +
  "offset on or order outer over partition preceding prewhere qualify range recursive right rollup row rows select semi " +
  "then ties totals unbounded union using when where window with";
const TYPES =
  "array bool date date32 datetime datetime64 decimal dynamic fixedstring float32 float64 int128 int16 int256 int32 int64 " +
  "int8 json map nullable string tuple uint128 uint16 uint256 uint32 uint64 uint8 uuid";

/** Those that one writes most; the engine tells their letters' case apart. */
export const FUNCTIONS = (
  "abs any argMax argMin arrayExists arrayFilter arrayJoin arrayMap arraySum avg ceil coalesce concat count countIf " +
  "dateDiff floor formatDateTime groupArray has if ifNull JSONExtractString length lower max median min multiIf notEmpty " +
  "nullIf parseDateTimeBestEffort position quantile replaceAll round row_number splitByChar startsWith substring sum sumIf " +
  "toDate toDateTime toFloat64 toInt64 toStartOfDay toStartOfHour toStartOfMonth toString uniq uniqExact upper"
).split(" ");

export const ClickHouse = SQLDialect.define({
  keywords: KEYWORDS,
  types: TYPES,
  backslashEscapes: true,
  hashComments: true,
  identifierQuotes: '`"',
});
