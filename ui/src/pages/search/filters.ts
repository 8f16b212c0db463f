/** Filters as the API reads them (docs/search.md): `field:value`, each a chip. */

import { escapedField } from "./address";

export interface Filter {
  readonly field: string;
  /** What stands behind the colon, unquoted where it was a quoted value. */
  readonly value: string;
  /** A comparison or a range: no value of a facet. */
  readonly compares: boolean;
}

/** Words of letters, digits and single signs mean themselves; anything else might be read as a comparison or a range. */
const PLAIN = /^[\p{L}\p{N}]+(?:[ _@/-][\p{L}\p{N}]+)*$/u;
const COMPARISON = /^(?:[<>]|-?[\d.:TZ+-]*\.\.)/;

/** The filter for exactly this value. */
export function filterFor(field: string, value: string): string {
  const text = PLAIN.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
  return `${escapedField(field)}:${text}`;
}

/** Read a filter's parts; a text that is none has an empty field, and the server says what is wrong with it. */
export function readFilter(filter: string): Filter {
  const colon = filter.search(/(?<!\\)(?:\\\\)*:/);
  const at = colon < 0 ? -1 : filter.indexOf(":", colon);
  if (at < 0) {
    return { field: "", value: filter, compares: false };
  }
  const field = filter.slice(0, at).replace(/\\(.)/g, "$1");
  const text = filter.slice(at + 1);
  const quoted = /^"((?:[^"\\]|\\.)*)"$/s.exec(text)?.[1];
  if (quoted !== undefined) {
    return { field, value: quoted.replace(/\\(.)/gs, "$1"), compares: false };
  }
  return { field, value: text, compares: COMPARISON.test(text) };
}

/** Whether one of the filters asks for this value of this field. */
export function asksFor(filters: readonly string[], field: string, value: string): boolean {
  return filters.map(readFilter).some((filter) => !filter.compares && filter.field === field && filter.value === value);
}

/** Add the filter for a value, or take it away. */
export function toggled(filters: readonly string[], field: string, value: string): readonly string[] {
  if (!asksFor(filters, field, value)) {
    return [...filters, filterFor(field, value)];
  }
  return filters.filter((filter) => !asksFor([filter], field, value));
}

/** The filters without those of one field: its facet counts what choosing another value would give. */
export function without(filters: readonly string[], field: string): readonly string[] {
  return filters.filter((filter) => readFilter(filter).field !== field);
}
