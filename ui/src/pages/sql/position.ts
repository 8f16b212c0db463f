/** Where in a query an error is: the engine's messages say so by position, by line and column, or by a name. */

export interface Place {
  /** In UTF-16 units, as editors count; `to` is behind the last. */
  readonly from: number;
  readonly to: number;
}

/** A bracket that is never closed says more than the end of the text, where the engine noticed. */
const UNMATCHED = /Unmatched parentheses: '(.)' at position (\d+)/;
const FAILED = /failed at position (\d+)(?: \((.*?)\)(?=[ :.]))?/s;

/** Names in the messages of docs/sql.md's refusals and of the engine's analyzer. */
const NAMED = [
  /`([^`]+)`/,
  /Identifier '([^']+)'/,
  /Column '([^']+)'/,
  /(?:function|table function|collection|parameter) '?([\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}\p{N}_]+)*)/u,
];

export function placeOf(message: string, query: string): Place | undefined {
  const unmatched = UNMATCHED.exec(message);
  if (unmatched !== null) {
    return tokenAt(query, Number(unmatched[2]), unmatched[1]);
  }
  const failed = FAILED.exec(message);
  if (failed !== null) {
    return tokenAt(query, Number(failed[1]), failed[2]);
  }
  const name = NAMED.map((form) => form.exec(message)?.[1]).find((found) => found !== undefined);
  return name === undefined ? undefined : nameIn(query, name);
}

/** The line and the column of a place, both from 1. */
export function lineAndColumn(query: string, offset: number): readonly [line: number, column: number] {
  const before = query.slice(0, offset).split("\n");
  return [before.length, (before[before.length - 1]?.length ?? 0) + 1];
}

/** The engine counts bytes of UTF-8, from 1. */
function tokenAt(query: string, position: number, token: string | undefined): Place | undefined {
  const from = offsetOfByte(query, position - 1);
  if (query.length === 0) {
    return undefined;
  }
  if (from >= query.length) {
    return lastSign(query);
  }
  const length = token !== undefined && query.startsWith(token, from) ? token.length : 1;
  return { from, to: from + length };
}

function lastSign(query: string): Place {
  const to = query.trimEnd().length || query.length;
  return { from: to - 1, to };
}

function offsetOfByte(query: string, byte: number): number {
  const bytes = new TextEncoder().encode(query).subarray(0, byte);
  return new TextDecoder().decode(bytes).length;
}

/** Find a name as a whole word; the engine may write it with the names of its database and table before it. */
function nameIn(query: string, name: string): Place | undefined {
  const parts = name.split(".");
  for (let skipped = 0; skipped < parts.length; skipped++) {
    const wanted = parts.slice(skipped).join(".");
    const escaped = wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const from = query.search(new RegExp(`(?<![\\p{L}\\p{N}_])${escaped}(?![\\p{L}\\p{N}_])`, "u"));
    if (from >= 0) {
      return { from, to: from + wanted.length };
    }
  }
  return undefined;
}
