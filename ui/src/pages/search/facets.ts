/** Which fields are worth counting: those whose values are short and come again. */

import { isNumeric, type Json, type Scalar } from "../../api/json";
import { FACET_VALUES } from "./address";
import type { Leaf } from "./document";

export interface FacetCount {
  readonly value: Json;
  readonly count: number;
}

export type Facets = Readonly<Record<string, readonly FacetCount[]>>;

/** The server counts up to 20 fields at once. */
const MOST_ASKED = 20;
const MOST_SHOWN = 6;
const LONGEST_VALUE = 40;
const LEAST_SHARE = 0.3;

/** The fields of some documents that may be worth counting, in the documents' order. */
export function candidates(documents: readonly (readonly Leaf[])[]): readonly string[] {
  const values = new Map<string, Scalar[]>();
  for (const { path, values: own } of documents.flat()) {
    values.set(path, [...(values.get(path) ?? []), ...own]);
  }
  return [...values]
    .filter(([, seen]) => seen.some((value) => value !== null) && seen.every(isShort))
    .map(([path]) => path)
    .slice(0, MOST_ASKED);
}

/** Of the fields counted over a whole collection of `total` documents, those that divide it into a few parts. */
export function choose(facets: Facets, total: number): readonly string[] {
  return Object.entries(facets)
    .filter(([, counts]) => divides(counts, total))
    .map(([field]) => field)
    .slice(0, MOST_SHOWN);
}

/** The values in sight come again, stand for a good part of the documents, and not all documents have them. */
function divides(counts: readonly FacetCount[], total: number): boolean {
  const repeated = counts.filter(({ count }) => count > 1).length;
  const covered = counts.reduce((sum, { count }) => sum + count, 0);
  const isPart = counts.some(({ count }) => count < total);
  return repeated * 2 > counts.length && covered >= total * LEAST_SHARE && isPart && !isMeasure(counts);
}

/** Many different numbers are amounts, not kinds. */
function isMeasure(counts: readonly FacetCount[]): boolean {
  return counts.length >= FACET_VALUES && counts.some(({ value }) => isNumeric(value));
}

function isShort(value: Scalar): boolean {
  return typeof value !== "string" || (value.length <= LONGEST_VALUE && !value.includes("\n"));
}
