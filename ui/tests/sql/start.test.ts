import { beforeEach, describe, expect, test, vi } from "vitest";
import { columnsFor } from "../../src/pages/sql/completion";
import { examplesOf } from "../../src/pages/sql/examples";
import { forget, readHistory, remember } from "../../src/pages/sql/history";
import { quoted } from "../../src/pages/sql/identifiers";

const column = (name: string, type: string) => ({ name, type });
const DONATIONS = {
  name: "donations",
  columns: [
    column("_id", "String"),
    column("email", "Nullable(String)"),
    column("platform", "Nullable(String)"),
    column("amount", "Nullable(Decimal(38, 9))"),
  ],
};
const ORDERS = {
  name: "order-lines",
  columns: [column("orderId", "Nullable(Decimal(38, 9))"), column("from", "Nullable(Decimal(38, 9))")],
};

test.each([
  ["donations", "donations"],
  ["from", "`from`"],
  ["order-lines", "`order-lines`"],
  ["a`b\\c", "`a\\`b\\\\c`"],
])("the name %s is written %s", (name, sql) => {
  expect(quoted(name)).toBe(sql);
});

test("examples are made of what is there", () => {
  expect(
    examplesOf([
      { ...DONATIONS, kind: "platform" },
      { ...ORDERS, kind: undefined },
    ]).map(({ query }) => query),
  ).toEqual([
    "SELECT *\nFROM donations\nLIMIT 100",
    "SELECT platform, count() AS documents\nFROM donations\nGROUP BY platform\nORDER BY documents DESC\nLIMIT 20",
    "SELECT min(`from`) AS least, avg(`from`) AS average, max(`from`) AS most\nFROM `order-lines`",
  ]);
  expect(examplesOf([])).toEqual([]);
});

test("the columns of the collections that a query names are offered", () => {
  const labels = (query: string) => columnsFor([DONATIONS, ORDERS], query).map(({ label }) => label);
  expect(labels("SELECT ")).toEqual(["_id", "email", "platform", "amount", "orderId", "from"]);
  expect(labels("SELECT am FROM donations")).toEqual(["_id", "email", "platform", "amount"]);
});

describe("the history", () => {
  beforeEach(() => localStorage.clear());

  test("has each query once, the last one first", () => {
    remember("SELECT 1");
    remember("SELECT 2");
    expect(remember(" SELECT 1 ")).toEqual(["SELECT 1", "SELECT 2"]);
    expect(readHistory()).toEqual(["SELECT 1", "SELECT 2"]);
  });

  test("keeps the last 30", () => {
    for (let number = 0; number < 40; number++) {
      remember(`SELECT ${number}`);
    }
    expect(readHistory()).toHaveLength(30);
  });

  test("can be forgotten", () => {
    remember("SELECT 1");
    forget();
    expect(readHistory()).toEqual([]);
  });

  test("does without a browser that keeps nothing", () => {
    vi.spyOn(globalThis, "localStorage", "get").mockImplementation(() => {
      throw new DOMException("denied", "SecurityError");
    });
    expect(remember("SELECT 1")).toEqual(["SELECT 1"]);
    expect(readHistory()).toEqual([]);
    forget();
    vi.restoreAllMocks();
  });

  test.each(["nonsense", "{}", "[1]"])("reads %s as none", (kept) => {
    localStorage.setItem("dynalens.sql.history", kept);
    expect(readHistory()).toEqual([]);
  });
});
