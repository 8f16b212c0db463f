/** How columns look: which are numbers, and how wide each is. */

import type { Json } from "../../api/json";
import type { Answer } from "./answer";
import { cellText } from "./formats";

const NUMBER = /^(?:Nullable\()?(?:LowCardinality\()?(?:Nullable\()?(?:U?Int\d|Decimal|Float|BFloat)/;

/** Measured in characters of the grid's monospaced digits. */
const NARROWEST = 6;
const WIDEST = 44;
const LOOKED_AT = 200;
const LONGEST_TYPE = 24;

/** Whether a column of this type is aligned like numbers. */
export function isNumeric(type: string): boolean {
  return NUMBER.test(type);
}

/** A type without its `Nullable`: nearly every column may be NULL, and that it may says little. */
export function shortType(type: string): string {
  return type.replace(/^Nullable\((.*)\)$/, "$1");
}

/** The width of each column in characters: its widest text among the first rows, name and type. */
export function widthsOf({ columns, rows }: Answer): readonly number[] {
  const looked = rows.slice(0, LOOKED_AT);
  return columns.map(({ name, type }, index) => {
    const texts = looked.map((row) => shownLength(row[index] ?? null));
    const widest = Math.max(name.length, Math.min(shortType(type).length, LONGEST_TYPE), ...texts);
    return Math.max(NARROWEST, Math.min(WIDEST, widest));
  });
}

function shownLength(value: Json): number {
  const text = value === null ? "NULL" : cellText(value);
  return text === "" ? "[empty]".length : text.length;
}
