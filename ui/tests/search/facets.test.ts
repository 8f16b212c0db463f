import { describe, expect, test } from "vitest";
import { parseJson } from "../../src/api/json";
import type { Document } from "../../src/api/types";
import { leavesOf, titleOf } from "../../src/pages/search/document";
import { candidates, choose } from "../../src/pages/search/facets";
import { sortOptions } from "../../src/pages/search/sorting";

const leaves = (json: string) => leavesOf(parseJson(json) as Document);

describe("the leaves of a document", () => {
  test("have paths as filters write them, lists looked into, numbers kept whole", () => {
    const found = leaves('{"a": {"b": 12345678901234567890.5}, "tags": ["x", "y"], "items": [{"n": 1}, {"n": null}]}');
    expect(found.map(({ path, values }) => [path, values.map(String)])).toEqual([
      ["a.b", ["12345678901234567890.5"]],
      ["tags", ["x", "y"]],
      ["items.n", ["1", "null"]],
    ]);
  });

  test("one of them names it", () => {
    expect(titleOf(leaves('{"id": "x 1", "note": "a b", "Title": "T"}'))).toBe("Title");
    expect(titleOf(leaves('{"id": "x1", "note": "a b"}'))).toBe("note");
    expect(titleOf(leaves('{"id": "x1", "n": 1, "title": ""}'))).toBeUndefined();
  });
});

describe("facets", () => {
  test("are looked for among short values", () => {
    const long = "x".repeat(41);
    const documents = [
      `{"kind": "a", "text": "${long}", "n": 1, "on": true, "gone": null}`,
      '{"kind": "b", "text": "c"}',
    ];
    expect(candidates(documents.map(leaves))).toEqual(["kind", "n", "on"]);
  });

  const counts = (...all: number[]) => all.map((count, index) => ({ value: `v${index}`, count }));

  test.each([
    ["divides the documents", counts(60, 40), true],
    ["is missing in some", counts(40), true],
    ["is the same everywhere", counts(100), false],
    ["is everywhere in all its values", counts(100, 100), false],
    ["never comes again", counts(1, 1, 1, 1, 1, 1, 1, 1), false],
    ["comes again by chance", counts(2, 1, 1, 1, 1, 1, 1, 1), false],
    ["has far more values than can be shown", counts(3, 3, 3, 3, 3, 3, 3, 3), false],
    ["does not occur", [], false],
  ])("a field that %s", (_, field, shown) => {
    expect(choose({ field }, 100)).toEqual(shown ? ["field"] : []);
  });

  test("many numbers are amounts, a few are kinds", () => {
    const stars = [1, 2, 3, 4, 5].map((value) => ({ value, count: 20 }));
    const prices = [1, 2, 3, 4, 5, 6, 7, 8].map((value) => ({ value, count: 10 }));
    expect(choose({ stars, prices }, 100)).toEqual(["stars"]);
  });
});

test("an order of the address that nobody offers can still be seen", () => {
  expect(sortOptions(["a,b"], "")).toEqual([
    { value: "", label: "Best first" },
    { value: "a\\,b", label: "a,b ↑" },
    { value: "-a\\,b", label: "a,b ↓" },
  ]);
  expect(sortOptions([], "x:asc").map(({ label }) => label)).toEqual(["Best first", "x:asc"]);
});
