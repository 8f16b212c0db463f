import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { classes } from "./classes";
import styles from "./DataTable.module.css";
import { useRoom } from "./useRoom";

export interface Column<Row> {
  /** The heading, and the column's key. */
  title: string;
  cell: (row: Row) => ComponentChildren;
  /** Numbers stand at the right, digit under digit. */
  numeric?: boolean;
  /** Given up first where there is little room. */
  minor?: boolean;
}

export interface DataTableProps<Row> {
  /** What the table is called, for who does not see the panel around it. */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  rowClass?: (row: Row) => string | undefined;
  /** Shows as many rows as there is room for, one line each, and does not scroll. */
  fitted?: boolean;
}

/** As the style sheet has them, in rem. */
const ROW = 2;
const HEADING = 2;

/** A table of rows that fit on a page. The first column names the row. */
export function DataTable<Row>({ caption, columns, rows, rowKey, rowClass, fitted = false }: DataTableProps<Row>) {
  const box = useRef<HTMLDivElement>(null);
  const room = useRoom(box, fitted, ROW, HEADING);
  const look = ({ numeric, minor }: Column<Row>) => classes(numeric && styles.numeric, minor && styles.minor);
  return (
    // biome-ignore lint/a11y/useSemanticElements: no element but a fieldset is a group, and this is none.
    <div
      ref={box}
      class={classes(styles.scroll, fitted && styles.fitted)}
      role="group"
      aria-label={caption}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
      tabIndex={0}
    >
      <table class={styles.table}>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.title} scope="col" class={look(column)}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, room).map((row) => (
            <tr key={rowKey(row)} class={rowClass?.(row)}>
              {columns.map((column, index) => {
                const Cell = index === 0 ? "th" : "td";
                return (
                  <Cell key={column.title} scope={index === 0 ? "row" : undefined} class={look(column)}>
                    {column.cell(row)}
                  </Cell>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
