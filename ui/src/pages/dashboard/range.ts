/** How far back lines reach: one choice for all of a dashboard, kept in its address. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const RANGES = [
  { value: "15m", label: "15 min", ms: 15 * MINUTE },
  { value: "1h", label: "1 h", ms: HOUR },
  { value: "6h", label: "6 h", ms: 6 * HOUR },
  { value: "24h", label: "24 h", ms: DAY },
  { value: "7d", label: "7 d", ms: 7 * DAY },
  { value: "30d", label: "30 d", ms: 30 * DAY },
  { value: "1y", label: "1 year", ms: 365 * DAY },
] as const;

export type Range = (typeof RANGES)[number];

const FEWEST_BUCKETS = 10;
const MOST_BUCKETS = 1500;
const BEST_BUCKETS = 60;

/** Ranges that the coarsest and the finest line can show: 10 to 1,500 buckets. */
export function rangesFor(everyMs: readonly number[]): readonly Range[] {
  if (everyMs.length === 0) return [];
  const [finest, coarsest] = [Math.min(...everyMs), Math.max(...everyMs)];
  return RANGES.filter(({ ms }) => ms / coarsest >= FEWEST_BUCKETS && ms / finest <= MOST_BUCKETS);
}

/** The range that the address names, or the one with about 60 buckets. */
export function chosenRange(ranges: readonly Range[], named: string | undefined, everyMs: number): Range {
  const distance = ({ ms }: Range) => Math.abs(Math.log(ms / everyMs / BEST_BUCKETS));
  const nearest = [...(ranges.length > 0 ? ranges : RANGES)].sort((one, other) => distance(one) - distance(other));
  return ranges.find(({ value }) => value === named) ?? nearest[0] ?? RANGES[0];
}
