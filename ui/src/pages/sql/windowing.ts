/** Which rows and columns of a large grid are in sight: arithmetic alone, so that 100,000 rows cost what 30 cost. */

export interface Span {
  readonly first: number;
  /** Behind the last one. */
  readonly end: number;
}

export interface RowHeights {
  readonly count: number;
  /** Of a row that is not open, in pixels. */
  readonly closed: number;
  readonly open: number;
  /** The rows that are open, ascending. */
  readonly opened: readonly number[];
}

/** The distance of a row's upper edge from the first row's; of `count`: the height of all rows. */
export function topOf(rows: RowHeights, row: number): number {
  const openedAbove = rows.opened.filter((opened) => opened < row).length;
  return row * rows.closed + openedAbove * (rows.open - rows.closed);
}

/** The row that lies at a distance from the first row's upper edge. */
export function rowAt(rows: RowHeights, offset: number): number {
  let above = 0;
  for (const opened of rows.opened) {
    const top = topOf(rows, opened);
    if (offset < top) {
      break;
    }
    if (offset < top + rows.open) {
      return opened;
    }
    above += rows.open - rows.closed;
  }
  return Math.max(0, Math.min(rows.count - 1, Math.floor((offset - above) / rows.closed)));
}

/** The rows in sight, and a few beyond, so that scrolling a little shows no gap. */
export function rowsInSight(rows: RowHeights, scrolled: number, height: number, beyond = 8): Span {
  if (rows.count === 0) {
    return { first: 0, end: 0 };
  }
  const first = Math.max(0, rowAt(rows, scrolled) - beyond);
  const end = Math.min(rows.count, rowAt(rows, scrolled + height) + 1 + beyond);
  return { first, end };
}

/** The left edges of columns of these widths; one more than there are columns: the last is the width of all. */
export function edgesOf(widths: readonly number[]): readonly number[] {
  const edges = [0];
  for (const width of widths) {
    edges.push((edges[edges.length - 1] ?? 0) + width);
  }
  return edges;
}

export function columnsInSight(edges: readonly number[], scrolled: number, width: number): Span {
  const count = edges.length - 1;
  const first = edges.findIndex((edge) => edge > scrolled);
  const behind = edges.findIndex((edge) => edge >= scrolled + width);
  return { first: Math.max(0, first < 0 ? count - 1 : first - 1), end: behind < 0 ? count : Math.min(behind, count) };
}

/** Where to scroll so that a piece from `start` to `end` is in sight, moving as little as possible. */
export function scrolledTo(scrolled: number, height: number, start: number, end: number): number {
  if (start < scrolled || end - start > height) {
    return start;
  }
  return end > scrolled + height ? end - height : scrolled;
}
