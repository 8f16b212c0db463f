/** What a collection's documents have, seen from a few of them: enough to offer facets and orders that make sense. */

import { get, type RequestOptions } from "../../api/client";
import { addressOf } from "../../api/routes";
import type { SearchAnswer } from "../../api/types";
import { escapedField, FACET_VALUES } from "./address";
import { leavesOf } from "./document";
import { candidates, choose } from "./facets";

export interface Outline {
  readonly facets: readonly string[];
  /** Fields with one value per document. */
  readonly sortable: readonly string[];
}

const LOOKED_AT = 50;

/** Two searches, so that it works where a collection is kept for search alone, and sees fields within maps. */
export async function getOutline(collection: string, options: RequestOptions): Promise<Outline> {
  const { hits } = await get<SearchAnswer>(addressOf.search(collection, { size: LOOKED_AT }), options);
  const documents = hits.map(({ document }) => leavesOf(document));
  const fields = candidates(documents);
  return { facets: await dividing(collection, fields, options), sortable: singles(documents) };
}

async function dividing(
  collection: string,
  fields: readonly string[],
  options: RequestOptions,
): Promise<readonly string[]> {
  if (fields.length === 0) {
    return [];
  }
  const facet = fields.map((field) => `${escapedField(field)}:${FACET_VALUES}`).join(",");
  const { facets, total } = await get<SearchAnswer>(addressOf.search(collection, { size: 0, facet }), options);
  return choose(facets, total);
}

function singles(documents: readonly ReturnType<typeof leavesOf>[]): readonly string[] {
  const leaves = documents.flat();
  const several = new Set(leaves.filter(({ values }) => values.length > 1).map(({ path }) => path));
  return [...new Set(leaves.map(({ path }) => path))].filter((path) => !several.has(path));
}
