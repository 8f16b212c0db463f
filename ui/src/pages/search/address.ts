/** What the address of the search page says, and back: the address bar holds the whole state. */

import { address } from "../../api/client";
import { addressOf } from "../../api/routes";

export interface SearchState {
  /** Empty: none is chosen yet. */
  readonly collection: string;
  readonly q: string;
  /** As the API reads them: `field:value`, `field:"value"`, `field:>=10`. */
  readonly filters: readonly string[];
  /** As the API reads it: `field`, `-field`; empty: the best first. */
  readonly sort: string;
  readonly size: number;
}

export const FIRST_SIZE = 20;

/** How many hits a page may show; "more" takes the next step. The server gives up to 10,000. */
const SIZES = [FIRST_SIZE, 50, 100, 200, 500, 1000];

const PAGE = "/search";

export function readAddress(pathname: string, search: string): SearchState {
  const parameters = new URLSearchParams(search);
  return {
    collection: collectionOf(pathname),
    q: parameters.get("q") ?? "",
    filters: parameters.getAll("filter").filter((filter) => filter !== ""),
    sort: parameters.get("sort") ?? "",
    size: sizeOf(parameters.get("size")),
  };
}

export function writeAddress(state: SearchState): string {
  const path = state.collection === "" ? PAGE : `${PAGE}/${encodeURIComponent(state.collection)}`;
  return address(path, {
    q: state.q,
    filter: state.filters,
    sort: state.sort,
    size: state.size === FIRST_SIZE ? undefined : state.size,
  });
}

/** How many values of a facet are shown. */
export const FACET_VALUES = 8;

/** The address of the same search as JSON. */
export function searchAddress(state: SearchState, facets: readonly string[]): string {
  return addressOf.search(state.collection, {
    q: state.q.trim(),
    filter: state.filters,
    sort: state.sort,
    size: state.size,
    highlight: true,
    facet: facetsAsked(facets),
  });
}

/** The address of the counts of one field alone. */
export function facetAddress(state: SearchState, field: string): string {
  return addressOf.search(state.collection, {
    q: state.q.trim(),
    filter: state.filters,
    size: 0,
    facet: facetsAsked([field]),
  });
}

export function documentAddress(collection: string, id: string): string {
  return `${addressOf.collection(collection)}/documents/${encodeURIComponent(id)}`;
}

/** The next step of "more"; undefined where all is shown or no step is left. */
export function moreThan(size: number, total: number): number | undefined {
  return size < total ? SIZES.find((step) => step > size) : undefined;
}

/** A field's name as a part of a filter, a facet or a sort: the API splits at commas and colons. */
export function escapedField(field: string): string {
  return field.replace(/[\\,:]/g, "\\$&").replace(/^-/, "\\-");
}

function facetsAsked(fields: readonly string[]): string {
  return fields.map((field) => `${escapedField(field)}:${FACET_VALUES}`).join(",");
}

function collectionOf(pathname: string): string {
  const [, , name = ""] = pathname.split("/");
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function sizeOf(text: string | null): number {
  const size = Number(text);
  return Number.isInteger(size) && size > 0 ? Math.min(size, SIZES[SIZES.length - 1] ?? size) : FIRST_SIZE;
}
