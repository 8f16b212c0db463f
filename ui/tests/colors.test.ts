import { expect, it } from "vitest";
import { colorToken, giveColors, inColorOrder } from "../src/charts/colors";

it("gives a series its colour once, by its key and not by its size", () => {
  giveColors("platform", ["Web", "Phone"]);
  giveColors("platform", ["Shop", "Web", "Phone"]);
  expect(["Phone", "Web", "Shop"].map(colorToken)).toEqual(["--series-1", "--series-2", "--series-3"]);
  expect(inColorOrder([{ key: "Shop" }, { key: "unknown" }, { key: "Phone" }]).map(({ key }) => key)).toEqual([
    "Phone",
    "Shop",
    "unknown",
  ]);
});

it("lets other attributes begin anew, and is grey after the eighth", () => {
  const countries = Array.from({ length: 9 }, (_, index) => `country ${index}`);
  giveColors("country", countries);
  expect(countries.map(colorToken).at(0)).toBe("--series-1");
  expect(countries.map(colorToken).slice(-2)).toEqual(["--series-8", "--series-rest"]);
  expect(colorToken("never seen")).toBe("--series-rest");
});

it("gives what is not grouped the accent, which no group has", () => {
  giveColors("", ["{}"]);
  expect(colorToken("{}")).toBe("--accent");
});
