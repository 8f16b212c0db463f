import { describe, expect, it } from "vitest";
import { parseJson } from "../../src/api/json";
import { bars, groupLabel, headline } from "../../src/live/groups";
import type { MetricState } from "../../src/live/metric";

const metric = (text: string) => parseJson(text) as unknown as MetricState;

describe("headline", () => {
  it("is the total where the metric keeps one", () => {
    expect(headline(metric('{"groups":[{"group":{},"values":{"count":1}}],"total":{"count":70}}'), "count")).toBe("70");
  });

  it("adds up sums exactly where it keeps none", () => {
    const groups =
      '{"groups":[{"group":{"p":1},"values":{"a_sum":0.1}},{"group":{"p":2},"values":{"a_sum":12345678901234567890.2}}],"total":null}';
    expect(headline(metric(groups), "a_sum")).toBe("12345678901234567890.3");
  });

  it("does not add up averages", () => {
    const groups =
      '{"groups":[{"group":{"p":1},"values":{"a_avg":1}},{"group":{"p":2},"values":{"a_avg":2}}],"total":null}';
    expect(headline(metric(groups), "a_avg")).toBeNull();
  });
});

describe("bars", () => {
  it("are sorted by exact value and leave out groups without one", () => {
    const groups = `{"total":null,"groups":[
      {"group":{"p":"less"},"values":{"n":12345678901234567890.1}},
      {"group":{"p":"none"},"values":{"n":null}},
      {"group":{"p":"more"},"values":{"n":12345678901234567890.2},"exact":false}]}`;
    expect(bars(metric(groups), "n").map(({ label, exact }) => [label, exact])).toEqual([
      ["more", false],
      ["less", true],
    ]);
  });

  it("name groups so that text and what is no text stay apart", () => {
    expect(groupLabel(parseJson('{"a":"Phone","b":null,"c":"","d":1.50,"e":true}') as never)).toBe(
      "Phone · None · Empty · 1.5 · true",
    );
    expect(groupLabel({})).toBe("All");
  });
});
