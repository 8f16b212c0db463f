import { LosslessNumber } from "lossless-json";
import { describe, expect, it } from "vitest";
import { lineOption, timeTicks } from "../../src/charts/lineOption";
import { REST, timeline } from "../../src/charts/timeline";
import type { MetricState } from "../../src/live/metric";

const MINUTE = 60_000;
const NOW = Date.parse("2026-11-21T15:49:30Z");
const at = (minute: number) => `2026-11-21T15:${minute}:00Z`;
const bucket = (time: string | null, platform: string, n: number | null) => ({
  group: { time, p: platform },
  values: { count: n },
});
const state = (groups: MetricState["groups"]): MetricState => ({ groups, total: null });
const query = { value: "count", everyMs: MINUTE, rangeMs: 4 * MINUTE, now: NOW };

describe("timeline", () => {
  it("ends with the open bucket, fills holes with exact zeros and leaves out other times", () => {
    const line = timeline(
      state([
        bucket(at(46), "Phone", 5),
        bucket(at(49), "Phone", 2),
        bucket(at(47), "Web", 1),
        bucket(at(45), "Web", 100),
        bucket(at(50), "Web", 100),
        bucket(null, "Web", 100),
      ]),
      query,
    );
    expect(line.times.map((time) => new Date(time).toISOString().slice(14, 16))).toEqual(["46", "47", "48", "49"]);
    expect(line.series.map(({ label, values }) => [label, values])).toEqual([
      ["Phone", ["5", "0", "0", "2"]],
      ["Web", ["0", "1", "0", "0"]],
    ]);
    expect(line.totals).toEqual(["5", "1", "0", "2"]);
  });

  it("leaves holes in what cannot be added up", () => {
    const line = timeline(state([{ group: { time: at(47) }, values: { a_avg: 2.5 } }]), { ...query, value: "a_avg" });
    expect(line.series[0]?.values).toEqual([null, "2.5", null, null]);
    expect(line.totals).toBeNull();
  });

  it("adds up exactly what is beyond seven series", () => {
    const groups = Array.from({ length: 9 }, (_, index) => bucket(at(49), `p${index}`, 100 - index));
    groups.push(bucket(at(49), "least", 0.1), bucket(at(49), "next", 0.2));
    const line = timeline(state(groups), query);
    expect(line.series).toHaveLength(8);
    expect(line.series[7]).toMatchObject({ key: REST, label: "4 more", values: ["0", "0", "0", "185.3"] });
  });
});

describe("the drawing", () => {
  const ink = { color: (token: string) => token, font: "sans", rem: 16, width: 800 };
  const two = timeline(state([bucket(at(49), "Phone", 5), bucket(at(48), "Web", 1)]), query);

  it("stacks what adds up from zero, labels two series directly and shades the open bucket", () => {
    const { series, yAxis } = lineOption(two, {}, ink) as {
      series: Record<string, unknown>[];
      yAxis: { min?: number };
    };
    expect(series.map(({ stack }) => stack)).toEqual(["all", "all"]);
    expect(series[0]?.endLabel).toMatchObject({ show: true });
    expect(series[0]?.markArea).toMatchObject({
      data: [[{ xAxis: Date.parse(at(49)) }, { xAxis: Date.parse(at(50)) }]],
    });
    expect(yAxis.min).toBeUndefined();
  });

  it("adds up exactly, whether doubles could or not", () => {
    const sums = (one: string, other: string) =>
      timeline(
        state([
          { group: { time: at(49), p: "a" }, values: { count: new LosslessNumber(one) } },
          { group: { time: at(49), p: "b" }, values: { count: new LosslessNumber(other) } },
        ]),
        query,
      ).totals?.at(-1);
    expect(sums("2", "40")).toBe("42");
    expect(sums("0.1", "0.2")).toBe("0.3");
    expect(sums("999999999999999", "9007199254740993")).toBe("10007199254740992");
  });

  it("leaves direct labels to the legend where there is no room", () => {
    const { series } = lineOption(two, {}, { ...ink, width: 300 }) as { series: Record<string, unknown>[] };
    expect(series[0]?.endLabel).toBeUndefined();
  });

  it("has round times at its axis, not more than there is room for", () => {
    const ticks = timeTicks(Date.parse("2026-11-21T14:50:00Z"), Date.parse("2026-11-21T15:50:00Z"), 6);
    expect(ticks.map((time) => new Date(time).toISOString().slice(11, 16))).toEqual([
      "15:00",
      "15:15",
      "15:30",
      "15:45",
    ]);
  });
});
