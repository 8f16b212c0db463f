/** Where a key moves the active cell of the grid, as in spreadsheets and in the ARIA grid pattern. */

export interface Cell {
  readonly row: number;
  readonly column: number;
}

export interface Extent {
  readonly rows: number;
  readonly columns: number;
  /** How many rows a page down moves. */
  readonly page: number;
}

/** The cell that the key leads to; undefined where the key moves nothing. */
export function moved(cell: Cell, key: string, withControl: boolean, extent: Extent): Cell | undefined {
  const target = targetOf(cell, key, withControl, extent);
  return (
    target && {
      row: Math.max(0, Math.min(extent.rows - 1, target.row)),
      column: Math.max(0, Math.min(extent.columns - 1, target.column)),
    }
  );
}

function targetOf({ row, column }: Cell, key: string, withControl: boolean, extent: Extent): Cell | undefined {
  const last = { row: extent.rows - 1, column: extent.columns - 1 };
  switch (key) {
    case "ArrowDown":
      return { row: withControl ? last.row : row + 1, column };
    case "ArrowUp":
      return { row: withControl ? 0 : row - 1, column };
    case "ArrowRight":
      return { row, column: withControl ? last.column : column + 1 };
    case "ArrowLeft":
      return { row, column: withControl ? 0 : column - 1 };
    case "PageDown":
      return { row: row + extent.page, column };
    case "PageUp":
      return { row: row - extent.page, column };
    case "Home":
      return { row: withControl ? 0 : row, column: 0 };
    case "End":
      return { row: withControl ? last.row : row, column: last.column };
    default:
      return undefined;
  }
}
