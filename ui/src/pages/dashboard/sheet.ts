/** A panel's data as a table: what its table view shows and its copy button gives. */

export interface Cell {
  /** As it is read. */
  shown: string;
  /** As it is pasted: every digit, no separators. */
  exact: string;
}

export interface SheetRow {
  key: string;
  cells: readonly Cell[];
}

export interface Sheet {
  columns: readonly { title: string; numeric: boolean }[];
  rows: readonly SheetRow[];
}

export const textCell = (text: string): Cell => ({ shown: text, exact: text });

/** Tab-separated lines with a heading, as spreadsheets take them. */
export function tabSeparated({ columns, rows }: Sheet): string {
  const lines = [columns.map(({ title }) => title), ...rows.map(({ cells }) => cells.map(({ exact }) => exact))];
  return lines.map((cells) => cells.map(oneLine).join("\t")).join("\n");
}

const oneLine = (text: string): string => text.replaceAll(/[\t\r\n]+/g, " ");
