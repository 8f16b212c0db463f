/** Queries to start from, made of the collections that are there. */

import { quoted } from "./identifiers";
import type { Table } from "./schema";

export interface Example {
  readonly title: string;
  readonly query: string;
}

const MOST = 5;

/** All of the first collection, then one question for each that has something to ask about. */
export function examplesOf(tables: readonly Table[]): readonly Example[] {
  const [first] = tables;
  if (first === undefined) return [];
  const asked = tables.map((table) => grouped(table) ?? spread(table));
  return [everything(first), ...asked.filter((example) => example !== undefined)].slice(0, MOST);
}

function everything(table: Table): Example {
  return { title: `Documents of ${table.name}`, query: `SELECT *\nFROM ${quoted(table.name)}\nLIMIT 100` };
}

function grouped(table: Table): Example | undefined {
  const column = columnOf(table, /^Nullable\((?:String|Bool)\)$/, isKind);
  if (column === undefined) return undefined;
  const [name, from] = [quoted(column), quoted(table.name)];
  return {
    title: `${table.name} by ${column}`,
    query: `SELECT ${name}, count() AS documents\nFROM ${from}\nGROUP BY ${name}\nORDER BY documents DESC\nLIMIT 20`,
  };
}

function spread(table: Table): Example | undefined {
  const column = columnOf(table, /^Nullable\(Decimal/, isAmount);
  if (column === undefined) return undefined;
  const [name, from] = [quoted(column), quoted(table.name)];
  return {
    title: `${column} of ${table.name}, least to most`,
    query: `SELECT min(${name}) AS least, avg(${name}) AS average, max(${name}) AS most\nFROM ${from}`,
  };
}

function columnOf(table: Table, type: RegExp, fits: (name: string) => boolean): string | undefined {
  return table.columns.find(({ name, type: own }) => !name.startsWith("_") && type.test(own) && fits(name))?.name;
}

/** Names, addresses and texts are of one document alone; the `TYPE` is the collection's own. */
function isKind(name: string): boolean {
  return isAmount(name) && !/(?:name|title|subject|text|note|description|email|url)$/i.test(name) && name !== "TYPE";
}

/** Keys tell documents apart and times lie on a line: neither is worth adding up or grouping by. */
function isAmount(name: string): boolean {
  return !/(?:^id|[iI]d|key|sku|At|time|date)$/.test(name);
}
