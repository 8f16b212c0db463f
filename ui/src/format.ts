/** Numbers and times as they are read: in the reader's language, with every digit that counts. */

import Big from "big.js";
import type { Numeric } from "./api/json";

const CURRENCIES = new Set(Intl.supportedValuesOf("currency"));
const MOST_DIGITS = 20;

export interface NumberLook {
  /** An ISO 4217 currency, or any other word to stand behind the number. */
  unit?: string | null;
  /** At most two decimals, for averages and axes; else every digit is shown. */
  rounded?: boolean;
  /** At least so many decimals, so that a column's digits stand under each other. */
  decimals?: number;
  /** 1.2K instead of 1,234, for axes alone. */
  compact?: boolean;
}

/** A number in the reader's language; "–" where there is none. */
export function formatNumber(value: Numeric | string | null | undefined, look: NumberLook = {}): string {
  if (value === null || value === undefined) return "–";
  const text = formatter(look).format(value.toString() as `${number}`);
  return look.unit && !CURRENCIES.has(look.unit) ? `${text} ${look.unit}` : text;
}

/** The same with its sign, for differences. */
export function formatDelta(delta: string, look: NumberLook = {}): string {
  const text = formatNumber(delta.replace("-", ""), look);
  return delta.startsWith("-") ? `−${text}` : `+${text}`;
}

/** More of a text is not read in a list, and a megabyte of it would stop the page. */
const MOST_SHOWN = 300;

/** The beginning of a long text. */
export function shorten(text: string): string {
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}

/** How many decimals a number has. */
export function decimalsOf(number: Numeric | string): number {
  return new Big(number.toString()).toFixed().split(".")[1]?.length ?? 0;
}

const formatters = new Map<string, Intl.NumberFormat>();

function formatter({ unit, rounded = false, compact = false, decimals = 0 }: NumberLook): Intl.NumberFormat {
  const currency = unit && CURRENCIES.has(unit) ? unit : undefined;
  const key = `${currency} ${rounded} ${compact} ${decimals}`;
  const known = formatters.get(key);
  if (known) return known;
  const made = new Intl.NumberFormat(undefined, {
    ...(currency && { style: "currency", currency, currencyDisplay: "narrowSymbol" }),
    ...(decimals > 0 && { minimumFractionDigits: Math.min(decimals, MOST_DIGITS) }),
    ...(compact && { notation: "compact", minimumFractionDigits: 0 }),
    maximumFractionDigits: rounded ? 2 : MOST_DIGITS,
  });
  formatters.set(key, made);
  return made;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A length of time in one unit: "120 ms", "4 s", "3 min", "5 h", "2 d". */
export function formatDuration(ms: number): string {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

/** How long ago something was, or that it is still to come; times in milliseconds since 1970. */
export function formatAgo(time: number, now: number): string {
  const age = now - time;
  if (age < -SECOND) return `in ${formatDuration(-age)}`;
  return age < SECOND ? "now" : `${formatDuration(age)} ago`;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const BUCKET = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "numeric",
  minute: "2-digit",
});
const DATE_CLOCK = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** When a bucket of time begins, as short as its length allows. */
export function formatBucket(time: number, everyMs: number): string {
  if (everyMs >= DAY) return DATE.format(time);
  return everyMs < MINUTE ? formatMoment(time) : BUCKET.format(time);
}

/** The time of day, of milliseconds since 1970, in the reader's zone. */
export const formatClock = (time: number): string => CLOCK.format(time);

/** Date and time, of milliseconds since 1970, in the reader's zone. */
export const formatMoment = (time: number): string => DATE_CLOCK.format(time);
