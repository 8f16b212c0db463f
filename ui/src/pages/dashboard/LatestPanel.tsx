import { useRef } from "preact/hooks";
import { serverNow } from "../../api/clock";
import { isNumeric, type Json, own, writeJson } from "../../api/json";
import { addressOf } from "../../api/routes";
import type { LatestPanel as LatestSettings } from "../../api/types";
import { DataTable } from "../../components/DataTable";
import { Notice } from "../../components/State";
import { decimalsOf, formatAgo, formatMoment, formatNumber, shorten } from "../../format";
import type { LatestQuery, LatestRow } from "../../live/latest";
import { latestKey } from "../../live/live";
import styles from "./LatestPanel.module.css";
import { PanelFrame, type Watching } from "./PanelFrame";
import type { Sheet } from "./sheet";

const MOST_FIELDS = 4;

export const latestQuery = ({ collection, sort, size }: LatestSettings): LatestQuery => ({
  collection,
  by: sort,
  size,
});

/** The newest documents; arrivals slide in at the top. */
export function LatestPanel({ panel, ...watching }: Watching & { panel: LatestSettings }) {
  const { title, collection, sort } = panel;
  const query = latestQuery(panel);
  const rows = watching.view?.latest.get(latestKey(query));
  const error = watching.view?.latestErrors.get(latestKey(query));
  const columns = useSteady(columnsOf(rows ?? [], panel.fields, sort));
  return (
    <PanelFrame
      {...watching}
      title={title}
      subject={collection}
      json={addressOf.search(collection, { sort: sort ? `-${sort}` : undefined, size: query.size })}
      flush
      class={styles.panel}
      sheet={rows && (() => sheetOf(rows, columns))}
      empty={rows?.length === 0}
      notice={error && <Notice>{`Older ones could not be read: ${error.message} ${error.hint}`}</Notice>}
    >
      <DataTable
        caption={title}
        columns={columns.map((column) => ({
          title: column.field,
          numeric: column.numeric || column.field === sort,
          cell: ({ document }: LatestRow) =>
            column.field === sort ? (
              <When value={own(document, sort)} />
            ) : (
              shownText(own(document, column.field), column)
            ),
        }))}
        rows={rows ?? []}
        fitted={watching.wall}
        rowKey={({ id }) => id}
        rowClass={({ arrived }) => (arrived ? styles.arrived : undefined)}
      />
    </PanelFrame>
  );
}

interface FieldColumn {
  field: string;
  numeric: boolean;
  /** The most that any row has; two where any has one, as most of such numbers are money. */
  decimals: number;
}

/** The fields that are shown, and last the one that says which is newest. */
function columnsOf(rows: readonly LatestRow[], fields: readonly string[], sort: string | null): FieldColumn[] {
  const named = fields.length > 0 ? fields : fieldsOf(rows, sort);
  const shown = named.filter((field) => field !== sort);
  return [...shown, ...(sort === null ? [] : [sort])].map((field) => {
    const numbers = rows.map(({ document }) => own(document, field)).filter(isNumeric);
    const most = Math.max(0, ...numbers.map(decimalsOf));
    return { field, numeric: numbers.length > 0, decimals: most === 1 ? 2 : most };
  });
}

/** Decimals that were needed once stay, so that a column does not change its look with the rows that pass through. */
function useSteady(columns: readonly FieldColumn[]): readonly FieldColumn[] {
  const most = useRef(new Map<string, number>());
  return columns.map((column) => {
    const decimals = Math.max(column.decimals, most.current.get(column.field) ?? 0);
    most.current.set(column.field, decimals);
    return { ...column, decimals };
  });
}

/** Where the file names no fields: the first ones that are short in every row. */
function fieldsOf(rows: readonly LatestRow[], sort: string | null): string[] {
  const short = (value: Json | undefined) => typeof value !== "object" || isNumeric(value);
  return Object.keys(rows[0]?.document ?? {})
    .filter((field) => field !== sort && rows.every(({ document }) => short(own(document, field))))
    .slice(0, MOST_FIELDS);
}

function sheetOf(rows: readonly LatestRow[], columns: readonly FieldColumn[]): Sheet {
  return {
    columns: columns.map(({ field, numeric }) => ({ title: field, numeric })),
    rows: rows.map(({ id, document }) => ({
      key: id,
      cells: columns.map((column) => ({
        shown: shownText(own(document, column.field), column),
        exact: exactText(own(document, column.field)),
      })),
    })),
  };
}

/** How long ago, where the value is a time; else the value. */
function When({ value }: { value: Json | undefined }) {
  const time = timeOf(value);
  if (time === undefined) return <>{shorten(exactText(value))}</>;
  return (
    <time dateTime={new Date(time).toISOString()} title={formatMoment(time)} class={styles.when}>
      {formatAgo(time, serverNow())}
    </time>
  );
}

const SECONDS_BELOW = 1e11;

/** Milliseconds since 1970 of ISO 8601 text, or of a number of seconds or milliseconds since then. */
export function timeOf(value: Json | undefined): number | undefined {
  if (typeof value === "number") return value < SECONDS_BELOW ? value * 1000 : value;
  if (typeof value !== "string" || !/^\d{4}-\d{2}-\d{2}/.test(value)) return undefined;
  const time = Date.parse(value);
  return Number.isNaN(time) ? undefined : time;
}

function shownText(value: Json | undefined, { decimals }: FieldColumn): string {
  // Whole numbers are as often names as amounts, so they stand as they are.
  return isNumeric(value) && decimals > 0 ? formatNumber(value, { decimals }) : shorten(exactText(value));
}

function exactText(value: Json | undefined): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : writeJson(value);
}
