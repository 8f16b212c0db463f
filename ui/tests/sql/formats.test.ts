import { describe, expect, test } from "vitest";
import { parseJson } from "../../src/api/json";
import type { Answer } from "../../src/pages/sql/answer";
import { isNumeric, shortType, widthsOf } from "../../src/pages/sql/columns";
import { written } from "../../src/pages/sql/formats";

const answer = (names: string[], rows: string): Answer => ({
  columns: names.map((name) => ({ name, type: "String" })),
  rows: parseJson(rows) as unknown as Answer["rows"],
  statistics: {},
});

const MIXED = answer(
  ["text", "n", "map"],
  '[["a,\\"b\\"\\nc", 12345678901234567890.123, {"x": 1}], ["", null, ["t\\tu"]], ["plain", 0.5, true]]',
);

describe("an answer as", () => {
  test("CSV keeps every digit, quotes what it must, and tells NULL from the empty text", () => {
    expect(written(MIXED, "CSV")).toBe(
      'text,n,map\r\n"a,""b""\nc",12345678901234567890.123,"{""x"":1}"\r\n"",,"[""t\\tu""]"\r\nplain,0.5,true\r\n',
    );
  });

  test("TSV is what spreadsheets take", () => {
    expect(written(answer(["a", "b"], '[["x\\ty", "1,5"]]'), "TSV")).toBe('a\tb\n"x\ty"\t1,5\n');
  });

  test("JSON has an object per row", () => {
    expect(written(answer(["a", "b"], '[[1.10, null], [12345678901234567890, "x"]]'), "JSON")).toBe(
      '[\n{"a":1.1,"b":null},\n{"a":12345678901234567890,"b":"x"}\n]\n',
    );
    expect(written(answer(["a"], "[]"), "JSON")).toBe("[]\n");
  });

  test("JSON loses no column where two share a name", () => {
    expect(written(answer(["a", "a"], "[[1, 2]]"), "JSON")).toBe("[\n[1,2]\n]\n");
  });
});

test.each([
  ["Nullable(Decimal(38, 9))", true],
  ["UInt64", true],
  ["Float64", true],
  ["LowCardinality(Nullable(Int8))", true],
  ["Nullable(String)", false],
  ["Array(UInt8)", false],
  ["DateTime", false],
])("%s is numeric: %s", (type, numeric) => {
  expect(isNumeric(type)).toBe(numeric);
});

test("types are shown without what nearly all of them have", () => {
  expect(shortType("Nullable(Decimal(38, 9))")).toBe("Decimal(38, 9)");
  expect(shortType("Array(Nullable(String))")).toBe("Array(Nullable(String))");
});

test("columns are as wide as their widest text, within bounds", () => {
  expect(widthsOf(answer(["a", "name"], `[["${"x".repeat(500)}", "ab"], ["1234567890", null]]`))).toEqual([44, 6]);
});
