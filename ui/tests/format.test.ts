import { describe, expect, it } from "vitest";
import { parseJson, writeJson } from "../src/api/json";
import { formatAgo, formatDelta, formatDuration, formatNumber } from "../src/format";

// The tests run in the locale of the machine; digits and order of magnitude are what must hold.
const digits = (text: string) => text.replaceAll(/[^\d]/g, "");

describe("numbers", () => {
  it("keep all 38 digits from JSON to the page", () => {
    const value = parseJson("12345678901234567890123456789012345678") as never;
    expect(digits(formatNumber(value))).toBe("12345678901234567890123456789012345678");
  });

  it("keep decimals that a double would round", () => {
    expect(digits(formatNumber("90071992547409.9123456789", { unit: "EUR" }))).toBe("900719925474099123456789");
    expect(writeJson(parseJson("[0.1,1e400,12.5,9007199254740993]"))).toBe("[0.1,1e400,12.5,9007199254740993]");
  });

  it("have two decimals as money, and as many as asked for in a column", () => {
    expect(digits(formatNumber(60.5, { unit: "EUR" }))).toBe("6050");
    expect(digits(formatNumber(5, { decimals: 2 }))).toBe("500");
  });

  it("stand before a unit that is no currency", () => {
    expect(formatNumber(3, { unit: "items" })).toBe("3 items");
    expect(formatNumber(null, { unit: "items" })).toBe("–");
  });

  it("are rounded only where that is asked for", () => {
    expect(digits(formatNumber(30.255555, { rounded: true }))).toBe("3026");
    expect(digits(formatNumber(30.255555))).toBe("30255555");
  });

  it("say how they changed", () => {
    expect(formatDelta("2")).toBe("+2");
    expect(formatDelta("-2")).toBe("−2");
  });
});

describe("times", () => {
  it.each([
    [120, "120 ms"],
    [4_900, "4 s"],
    [61_000, "1 min"],
    [3 * 3_600_000, "3 h"],
    [50 * 3_600_000, "2 d"],
  ])("%d ms are %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it("say when something is still to come", () => {
    expect(formatAgo(0, 500)).toBe("now");
    expect(formatAgo(0, 5000)).toBe("5 s ago");
    expect(formatAgo(5000, 0)).toBe("in 5 s");
  });
});
