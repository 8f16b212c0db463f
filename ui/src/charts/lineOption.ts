/** A timeline as ECharts draws it: stacked where values add up, lines where they do not. */

import { toDouble } from "../api/json";
import { formatClock, formatNumber, type NumberLook } from "../format";
import { colorToken } from "./colors";
import type { ChartOption } from "./echarts";
import { REST, type Series, type Timeline } from "./timeline";

export interface Ink {
  /** What a colour token is now. */
  color: (token: string) => string;
  font: string;
  /** The root's font size in pixels, so that a chart grows with the wall. */
  rem: number;
  /** Of the chart, in pixels. */
  width: number;
}

/** Up to so many series are labelled where they end. */
export const DIRECT_LABELS = 3;
const MOST_SEAMS = 120;

export function lineOption(line: Timeline, look: NumberLook, ink: Ink): ChartOption {
  const text = { color: ink.color("--text-muted"), fontSize: 0.75 * ink.rem, fontFamily: ink.font };
  const direct = ink.width > 30 * ink.rem && line.series.length > 1 && line.series.length <= DIRECT_LABELS;
  const start = line.times[0] ?? 0;
  const end = (line.times.at(-1) ?? 0) + line.everyMs;
  const ticks = timeTicks(start, end, ink.width / (5 * ink.rem));
  return {
    animation: false,
    grid: { left: 0, right: direct ? 6 * ink.rem : 0.75 * ink.rem, top: 1.5 * ink.rem, bottom: 0, containLabel: true },
    xAxis: {
      type: "time",
      min: start,
      max: end,
      axisLine: { lineStyle: { color: ink.color("--line-strong") } },
      axisTick: { show: false },
      axisLabel: { ...text, hideOverlap: true, formatter: axisTime(end - start), customValues: ticks },
      splitLine: { show: false },
    },
    yAxis: {
      type: "value",
      splitNumber: 3,
      axisLabel: {
        ...text,
        formatter: (value: number) => formatNumber(value, { ...look, compact: true, rounded: true }),
      },
      splitLine: { lineStyle: { color: ink.color("--line") } },
    },
    // Stacks are drawn from below, so the largest comes first and stands on the ground.
    series: line.series.map((series, index) => ({
      type: "line",
      id: series.key,
      name: series.label,
      data: points(line, series),
      showSymbol: false,
      silent: true,
      connectNulls: false,
      step: "end",
      itemStyle: { color: ink.color(tokenOf(series)) },
      ...(line.totals ? stacked(line, series, ink) : { lineStyle: { width: 2 } }),
      ...(direct && {
        endLabel: { ...text, show: true, formatter: "{a}", width: 5 * ink.rem, overflow: "truncate" as const },
      }),
      ...(index === 0 && { markArea: openBucket(line, end, ink, text) }),
    })),
  };
}

/** Areas in the series' own colour, with seams of the ground between them where there is room for any. */
function stacked({ times }: Timeline, series: Series, ink: Ink) {
  return {
    stack: "all",
    lineStyle: { width: times.length <= MOST_SEAMS ? 1 : 0, color: ink.color("--surface") },
    areaStyle: { color: ink.color(tokenOf(series)), opacity: 1 },
  };
}

export function tokenOf(series: Series): string {
  return series.key === REST ? "--series-rest" : colorToken(series.key);
}

/** Each bucket holds its value until the next begins. */
function points(line: Timeline, { values }: Series): [number, number | null][] {
  const doubles = values.map((value) => (value === null ? null : toDouble(value)));
  const starts = line.times.map((time, place): [number, number | null] => [time, doubles[place] ?? null]);
  return [...starts, [(line.times.at(-1) ?? 0) + line.everyMs, doubles.at(-1) ?? null]];
}

/** The last bucket is shaded: what it holds is not all yet. */
function openBucket(line: Timeline, end: number, ink: Ink, text: { color: string; fontSize: number }) {
  return {
    silent: true,
    itemStyle: { color: ink.color("--text-muted"), opacity: 0.16 },
    // Above the plot, where no value hides it.
    label: {
      ...text,
      show: true,
      position: ["100%", -0.25 * text.fontSize] as [string, number],
      align: "right" as const,
      verticalAlign: "bottom" as const,
      formatter: "still open",
    },
    data: [[{ xAxis: line.times.at(-1) ?? 0 }, { xAxis: end }]] as [{ xAxis: number }, { xAxis: number }][],
  };
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_MS),
  ...[1, 2, 7, 14, 28, 91].map((days) => days * DAY_MS),
];

/** Round times of the reader's day, at most `most` of them. */
export function timeTicks(start: number, end: number, most: number): number[] {
  const step = STEPS.find((ms) => (end - start) / ms < most) ?? end - start;
  const zone = new Date(start).getTimezoneOffset() * MINUTE_MS;
  const first = Math.ceil((start - zone) / step) * step + zone;
  return Array.from({ length: Math.max(0, Math.floor((end - first) / step) + 1) }, (_, place) => first + place * step);
}

const DAY_MONTH = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

function axisTime(rangeMs: number): (time: number) => string {
  return rangeMs > 2 * DAY_MS ? (time) => DAY_MONTH.format(time) : formatClock;
}
