/** What a metric's groups mean: names, order, and which values may be added up. */

import Big from "big.js";
import { type Json, type Numeric, toDouble, writeJson } from "../api/json";
import type { GroupBy } from "../api/types";
import { shorten } from "../format";
import type { MetricState } from "./metric";

/** The member of a group that says which bucket of time it is. */
export const TIME = "time";

/** Counts and sums of groups add up to those of all; averages, least, greatest and distinct values do not. */
export const isAdditive = (value: string): boolean => value === "count" || value.endsWith("_sum");

export const isAverage = (value: string): boolean => value.endsWith("_avg");

/** One name for a group wherever it appears. */
export const seriesKey = (group: GroupBy): string => writeJson(group);

/** The attributes that a metric's groups differ in. */
export const dimensionOf = ({ groups: [first] }: MetricState): string =>
  Object.keys(first?.group ?? {})
    .filter((attribute) => attribute !== TIME)
    .join();

/** A group in words: its values, those that are no text as JSON. */
export function groupLabel(group: GroupBy): string {
  const parts = Object.values(group).map(valueLabel);
  return parts.length === 0 ? "All" : shorten(parts.join(" · "));
}

function valueLabel(value: Json): string {
  if (value === null) return "None";
  if (value === "") return "Empty";
  return typeof value === "string" && value.trim() !== "" ? value : writeJson(value);
}

export interface Bar {
  key: string;
  label: string;
  value: Numeric;
  /** False: a dead letter is missing from it. */
  exact: boolean;
}

/** Groups that have the value, largest first. */
export function bars(metric: MetricState, value: string): Bar[] {
  return metric.groups
    .flatMap(({ group, values, exact = true }) => {
      const number = values[value];
      if (number === undefined || number === null) return [];
      return [{ key: seriesKey(group), label: groupLabel(group), value: number, exact }];
    })
    .sort((one, other) => compare(other.value, one.value) || (one.label < other.label ? -1 : 1));
}

/** A metric in one number: its total; where it keeps none, what its groups add up to, or its only group's value. */
export function headline(metric: MetricState, value: string): string | null {
  const total = metric.total?.[value];
  if (total !== undefined && total !== null) return total.toString();
  const numbers = metric.groups.flatMap(({ values }) => values[value] ?? []);
  if (isAdditive(value)) return numbers.reduce((sum: Big, number) => sum.plus(number.toString()), new Big(0)).toFixed();
  return numbers.length === 1 ? String(numbers[0]) : null;
}

function compare(one: Numeric, other: Numeric): number {
  return toDouble(one) - toDouble(other) || new Big(one.toString()).cmp(other.toString());
}
