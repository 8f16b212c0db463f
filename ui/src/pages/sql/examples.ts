/** Queries to start from, made of the collections that are there. */

import { post, type RequestOptions } from "../../api/client";
import { type Answer, SQL_ADDRESS } from "./answer";
import { quoted } from "./identifiers";
import type { Table } from "./schema";

export interface Example {
  readonly title: string;
  readonly query: string;
}

const MOST = 5;

/** A collection with a column that divides it into a few kinds; none where no column does. */
export interface Known extends Table {
  readonly kind: string | undefined;
}

/** All of the first collection, then one question for each that has something to ask about. */
export function examplesOf(tables: readonly Known[]): readonly Example[] {
  const [first] = tables;
  if (first === undefined) return [];
  const asked = tables.map((table) => grouped(table) ?? spread(table));
  return [everything(first), ...asked.filter((example) => example !== undefined)].slice(0, MOST);
}

/** @throws ApiError */
export async function getExamples(tables: readonly Table[], options: RequestOptions): Promise<readonly Example[]> {
  const known: Known[] = [];
  for (const table of tables.slice(0, MOST)) {
    known.push({ ...table, kind: await kindOf(table, options) });
  }
  return examplesOf(known);
}

const SAMPLE = 1000;
const MOST_COLUMNS = 40;
const MOST_KINDS = 20;

/** The first column whose values come again, seen in some documents: a name does not tell a key from a kind. */
async function kindOf(table: Table, options: RequestOptions): Promise<string | undefined> {
  const names = table.columns
    .filter(({ name, type }) => !name.startsWith("_") && /^Nullable\((?:String|Bool)\)$/.test(type))
    .map(({ name }) => name)
    .slice(0, MOST_COLUMNS);
  if (names.length === 0) return undefined;
  const counts = ["count()", ...names.map((name) => `uniqExact(${quoted(name)})`)].join(", ");
  const sample = `SELECT ${names.map(quoted).join(", ")} FROM ${quoted(table.name)} LIMIT ${SAMPLE}`;
  const { rows } = await post<Answer>(SQL_ADDRESS, { query: `SELECT ${counts} FROM (${sample})` }, options);
  const [documents = 0, ...different] = (rows[0] ?? []).map(Number);
  return names.find((_, index) => isKind(different[index] ?? 0, documents));
}

function isKind(different: number, documents: number): boolean {
  return different > 1 && different <= MOST_KINDS && different * 2 <= documents;
}

function everything(table: Table): Example {
  return { title: `Documents of ${table.name}`, query: `SELECT *\nFROM ${quoted(table.name)}\nLIMIT 100` };
}

function grouped({ name: table, kind }: Known): Example | undefined {
  if (kind === undefined) return undefined;
  const name = quoted(kind);
  return {
    title: `${table} by ${kind}`,
    query: `SELECT ${name}, count() AS documents\nFROM ${quoted(table)}\nGROUP BY ${name}\nORDER BY documents DESC\nLIMIT 20`,
  };
}

function spread(table: Table): Example | undefined {
  const column = table.columns.find(({ name, type }) => /^Nullable\(Decimal/.test(type) && isAmount(name))?.name;
  if (column === undefined) return undefined;
  const [name, from] = [quoted(column), quoted(table.name)];
  return {
    title: `${column} of ${table.name}, least to most`,
    query: `SELECT min(${name}) AS least, avg(${name}) AS average, max(${name}) AS most\nFROM ${from}`,
  };
}

/** Keys tell documents apart and times lie on a line: neither is worth adding up. */
function isAmount(name: string): boolean {
  return !/(?:^_|^id|[iI]d$|key|sku|At$|time|date)/.test(name);
}
