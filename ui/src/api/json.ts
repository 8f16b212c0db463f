/** JSON that keeps every digit: a number that a double cannot hold stays its exact text. */

import { isSafeNumber, LosslessNumber, parse, stringify } from "lossless-json";

/** A number as it came: a double where that is the same number, else its text. */
export type Numeric = number | LosslessNumber;

export type Scalar = null | boolean | string | Numeric;

export type Nested = Json[] | { [name: string]: Json };

export type Json = Scalar | Nested;

/**
 * What might be a number that a double cannot hold: over 15 digits, or far from 1. Digits within texts look the same.
 * Where there is none, the browser's own parser does the same work many times faster.
 */
const MAYBE_INEXACT = /[\d.]{16}|\d[eE][-+]?\d{3}/;

/** Read a JSON text. @throws SyntaxError where it is none. */
export function parseJson(text: string): Json {
  if (!MAYBE_INEXACT.test(text)) return JSON.parse(text) as Json;
  return parse(text, undefined, { parseNumber }) as Json;
}

/** Write a JSON text with every digit, indented by `space`. */
export function writeJson(value: unknown, space?: number): string {
  return stringify(value, undefined, space) ?? "null";
}

export function isNumeric(value: unknown): value is Numeric {
  return typeof value === "number" || value instanceof LosslessNumber;
}

/** Whether it is a list or a map. A number that kept its text is neither. */
export function isNested(value: Json): value is Nested {
  return typeof value === "object" && value !== null && !isNumeric(value);
}

/** What a map itself has under a name: documents may use any name, `constructor` too. */
export function own<Value>(map: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined;
}

/** The nearest double: for places on a scale, never for what is read. */
export function toDouble(value: Numeric | string): number {
  return Number(value.toString());
}

function parseNumber(text: string): Numeric {
  return isSafeNumber(text) ? Number(text) : new LosslessNumber(text);
}
