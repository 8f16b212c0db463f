import type { ComponentChildren } from "preact";
import { classes } from "./classes";
import styles from "./DataTable.module.css";

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
}

/** A table of rows that fit on a page. The first column names the row. */
export function DataTable<Row>({ caption, columns, rows, rowKey, rowClass }: DataTableProps<Row>) {
  const look = ({ numeric, minor }: Column<Row>) => classes(numeric && styles.numeric, minor && styles.minor);
  return (
    // biome-ignore lint/a11y/useSemanticElements: no element but a fieldset is a group, and this is none.
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
    <div class={styles.scroll} role="group" aria-label={caption} tabIndex={0}>
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
          {rows.map((row) => (
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
