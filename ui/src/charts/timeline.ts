/** Values over time, by series, in even buckets without holes: what a line chart draws and its table lists. */

import Big from "big.js";
import { toDouble } from "../api/json";
import type { GroupBy } from "../api/types";
import { groupLabel, isAdditive, seriesKey, TIME } from "../live/groups";
import type { MetricState } from "../live/metric";

export interface Series {
  key: string;
  label: string;
  /** Exact number texts, one per bucket; null: no value. */
  values: (string | null)[];
}

export interface Timeline {
  /** When each bucket begins, in milliseconds since 1970, ascending. */
  times: number[];
  everyMs: number;
  /** Largest first. */
  series: Series[];
  /** Sums over all series; null where values cannot be added up. */
  totals: string[] | null;
  /** Series that are not among `series`: added up into the last of them, or left to the JSON. */
  folded: number;
}

export interface TimelineQuery {
  value: string;
  everyMs: number;
  rangeMs: number;
  /** Milliseconds since 1970. */
  now: number;
}

/** More lines than this cannot be told apart. */
export const MOST_SERIES = 7;
export const REST = "rest";

/** The buckets from `rangeMs` ago to the one that is still open. Groups of unknown time have no place in it. */
export function timeline(metric: MetricState, { value, everyMs, rangeMs, now }: TimelineQuery): Timeline {
  const last = Math.floor(now / everyMs) * everyMs;
  const count = Math.max(1, Math.round(rangeMs / everyMs));
  const first = last - (count - 1) * everyMs;
  const additive = isAdditive(value);
  const all = new Map<string, Series & { weight: number }>();
  for (const { group, values } of metric.groups) {
    const { key, label, time } = identityOf(group);
    const place = (time - first) / everyMs;
    const number = values[value];
    if (!Number.isInteger(place) || place < 0 || place >= count || number === undefined || number === null) continue;
    const series = seriesOf(all, key, label, count, additive);
    series.values[place] = number.toString();
    series.weight += Math.abs(toDouble(number));
  }
  const sorted = [...all.values()].sort(
    (one, other) => other.weight - one.weight || (one.label < other.label ? -1 : 1),
  );
  return {
    times: Array.from({ length: count }, (_, place) => first + place * everyMs),
    everyMs,
    series: folded(sorted, additive),
    totals: additive ? sums(sorted, count) : null,
    folded: Math.max(0, sorted.length - MOST_SERIES),
  };
}

interface Identity {
  key: string;
  label: string;
  /** When the bucket begins, in milliseconds since 1970; not a number where that is unknown. */
  time: number;
}

/** A day has thousands of buckets, and few of them change between two paints. */
const identities = new WeakMap<GroupBy, Identity>();

function identityOf(group: GroupBy): Identity {
  const known = identities.get(group);
  if (known) return known;
  const { [TIME]: time, ...rest } = group;
  const made = { key: seriesKey(rest), label: groupLabel(rest), time: Date.parse(String(time)) };
  identities.set(group, made);
  return made;
}

function seriesOf(
  all: Map<string, Series & { weight: number }>,
  key: string,
  label: string,
  count: number,
  additive: boolean,
) {
  const known = all.get(key);
  if (known) return known;
  // A bucket that nobody fell into is an exact 0 to a sum, and nothing to an average.
  const values = new Array<string | null>(count).fill(additive ? "0" : null);
  const made = { key, label, values, weight: 0 };
  all.set(key, made);
  return made;
}

function folded(sorted: readonly Series[], additive: boolean): Series[] {
  const shown = sorted.slice(0, MOST_SERIES).map(({ key, label, values }) => ({ key, label, values }));
  const rest = sorted.slice(MOST_SERIES);
  if (!additive || rest.length === 0) return shown;
  const values = sums(rest, rest[0]?.values.length ?? 0);
  return [...shown, { key: REST, label: `${rest.length} more`, values }];
}

function sums(series: readonly Series[], count: number): string[] {
  return Array.from({ length: count }, (_, place) => addUp(series.map(({ values }) => values[place] ?? "0")));
}

/** Whole numbers are added up exactly by doubles, and much faster, as long as their sum is safe. */
const WHOLE = /^\d{1,15}$/;

function addUp(numbers: readonly string[]): string {
  const counted = numbers.filter((number) => number !== "0");
  if (counted.length < 2) return counted[0] ?? "0";
  const quick = counted.reduce((sum, number) => sum + (WHOLE.test(number) ? Number(number) : Number.NaN), 0);
  if (Number.isSafeInteger(quick)) return String(quick);
  return counted.reduce((sum, number) => sum.plus(number), new Big(0)).toFixed();
}
