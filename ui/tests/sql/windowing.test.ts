import { describe, expect, test } from "vitest";
import { moved } from "../../src/pages/sql/gridKeys";
import { columnsInSight, edgesOf, rowAt, rowsInSight, scrolledTo, topOf } from "../../src/pages/sql/windowing";

const rows = (count: number, opened: number[] = []) => ({ count, closed: 10, open: 100, opened });

describe("rows", () => {
  test("those in sight are few, however many there are", () => {
    expect(rowsInSight(rows(100_000), 500_000, 200, 2)).toEqual({ first: 49_998, end: 50_023 });
    expect(rowsInSight(rows(100_000), 999_800, 200, 2)).toEqual({ first: 99_978, end: 100_000 });
    expect(rowsInSight(rows(0), 0, 200)).toEqual({ first: 0, end: 0 });
  });

  test("every place belongs to the row whose edges are around it, opened rows too", () => {
    const all = rows(50, [0, 3, 4, 49]);
    for (let row = 0; row < all.count; row++) {
      expect(rowAt(all, topOf(all, row))).toBe(row);
      expect(rowAt(all, topOf(all, row + 1) - 1)).toBe(row);
    }
    expect(topOf(all, all.count)).toBe(46 * 10 + 4 * 100);
  });
});

describe("columns", () => {
  const edges = edgesOf([50, 100, 30]);

  test("those in sight", () => {
    expect(edges).toEqual([0, 50, 150, 180]);
    expect(columnsInSight(edges, 0, 50)).toEqual({ first: 0, end: 1 });
    expect(columnsInSight(edges, 50, 101)).toEqual({ first: 1, end: 3 });
    expect(columnsInSight(edges, 60, 500)).toEqual({ first: 1, end: 3 });
    expect(columnsInSight([0], 0, 500)).toEqual({ first: 0, end: 0 });
  });
});

test("scrolling moves as little as needed", () => {
  expect(scrolledTo(100, 50, 110, 120)).toBe(100);
  expect(scrolledTo(100, 50, 145, 155)).toBe(105);
  expect(scrolledTo(100, 50, 90, 100)).toBe(90);
  expect(scrolledTo(100, 50, 120, 200)).toBe(120);
});

describe("keys of the grid", () => {
  const extent = { rows: 100, columns: 5, page: 20 };
  const at = { row: 50, column: 2 };

  test.each([
    ["ArrowDown", false, { row: 51, column: 2 }],
    ["ArrowUp", false, { row: 49, column: 2 }],
    ["ArrowRight", false, { row: 50, column: 3 }],
    ["ArrowLeft", true, { row: 50, column: 0 }],
    ["PageDown", false, { row: 70, column: 2 }],
    ["End", false, { row: 50, column: 4 }],
    ["End", true, { row: 99, column: 4 }],
    ["Home", true, { row: 0, column: 0 }],
  ])("%s (control: %s)", (key, control, cell) => {
    expect(moved(at, key, control, extent)).toEqual(cell);
  });

  test("stop at the edges", () => {
    expect(moved({ row: 99, column: 4 }, "PageDown", false, extent)).toEqual({ row: 99, column: 4 });
    expect(moved({ row: 0, column: 0 }, "ArrowLeft", false, extent)).toEqual({ row: 0, column: 0 });
  });

  test("others move nothing", () => {
    expect(moved(at, "a", false, extent)).toBeUndefined();
  });
});
