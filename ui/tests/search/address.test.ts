import { describe, expect, test } from "vitest";
import { moreThan, readAddress, type SearchState, searchAddress, writeAddress } from "../../src/pages/search/address";

const STATE: SearchState = {
  collection: "order lines",
  q: 'red "silk gloves"',
  filters: ["address.city:Wien", 'name:"A, B: C"', "price:>=10"],
  sort: "-price",
  size: 100,
};

describe("the address of the page", () => {
  test("holds the whole state", () => {
    const { pathname, search } = new URL(writeAddress(STATE), "http://localhost");
    expect(readAddress(pathname, search)).toEqual(STATE);
  });

  test("says nothing of what is as usual", () => {
    expect(writeAddress({ collection: "images", q: "", filters: [], sort: "", size: 20 })).toBe("/search/images");
    expect(writeAddress({ collection: "", q: "", filters: [], sort: "", size: 20 })).toBe("/search");
  });

  test.each(["-1", "0", "many", "1.5", ""])("takes the first size for size=%s", (size) => {
    expect(readAddress("/search/images", `?size=${size}`).size).toBe(20);
  });

  test("asks for no more than the page can show", () => {
    expect(readAddress("/search/images", "?size=100000").size).toBe(1000);
  });

  test("survives a name that is not encoded right", () => {
    expect(readAddress("/search/100%", "").collection).toBe("100%");
  });
});

test("the search asks for highlights and facets, whose names may hold commas and colons", () => {
  const address = new URL(searchAddress(STATE, ["a,b", "c:d", "-e"]), "http://localhost");
  expect(address.pathname).toBe("/api/v1/collections/order%20lines/search");
  expect(address.searchParams.getAll("filter")).toEqual(STATE.filters);
  expect(address.searchParams.get("highlight")).toBe("true");
  expect(address.searchParams.get("facet")).toBe("a\\,b:8,c\\:d:8,\\-e:8");
});

test("more goes on in steps, to all matches or to what the page can show", () => {
  expect(moreThan(20, 21)).toBe(50);
  expect(moreThan(30, 2000)).toBe(50);
  expect(moreThan(20, 20)).toBeUndefined();
  expect(moreThan(1000, 2000)).toBeUndefined();
});
