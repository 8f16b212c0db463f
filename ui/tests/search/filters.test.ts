import { describe, expect, test } from "vitest";
import { asksFor, filterFor, readFilter, toggled, without } from "../../src/pages/search/filters";

describe("the filter for a value", () => {
  test.each([
    ["Wien", "city:Wien"],
    ["New York", "city:New York"],
    ["5", "city:5"],
    [">5", 'city:">5"'],
    ["1..2", 'city:"1..2"'],
    ['a "b" \\c', 'city:"a \\"b\\" \\\\c"'],
    ["", 'city:""'],
    [" a", 'city:" a"'],
  ])("%j is written so that it means itself", (value, filter) => {
    expect(filterFor("city", value)).toBe(filter);
    expect(readFilter(filter)).toEqual({ field: "city", value, compares: false });
  });

  test("names fields that hold the API's own signs", () => {
    expect(filterFor("a:b,c", "x")).toBe("a\\:b\\,c:x");
    expect(readFilter("a\\:b\\,c:x")).toEqual({ field: "a:b,c", value: "x", compares: false });
  });
});

test.each([">=10", "<2020-01-01", "10..20", "..20", "10.."])("%s is a comparison, no value", (text) => {
  expect(readFilter(`year:${text}`)).toEqual({ field: "year", value: text, compares: true });
});

test("a text without a colon is shown as it is", () => {
  expect(readFilter("nonsense")).toEqual({ field: "", value: "nonsense", compares: false });
});

test("toggling adds a value once and takes it away however it was written", () => {
  expect(toggled(["a:1"], "a", "2")).toEqual(["a:1", "a:2"]);
  expect(toggled(['a:"1"', "a:2", "b:1"], "a", "1")).toEqual(["a:2", "b:1"]);
  expect(asksFor(["a:>=1"], "a", ">=1")).toBe(false);
});

test("a field's filters are left out for its own facet", () => {
  expect(without(["a:1", "b:2", "a:>=3"], "a")).toEqual(["b:2"]);
});
