/** What the editor offers while one writes: keywords, functions, and the collections with their columns. */

import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { completeFromList } from "@codemirror/autocomplete";
import { sql } from "@codemirror/lang-sql";
import type { Extension } from "@codemirror/state";
import { shortType } from "./columns";
import { ClickHouse, FUNCTIONS } from "./dialect";
import { quoted } from "./identifiers";
import type { Table } from "./schema";

/** The language with completion of these collections; behind an alias and a dot, of its columns alone. */
export function speaking(tables: readonly Table[]): Extension {
  const schema = Object.fromEntries(tables.map(({ name, columns }) => [name, columns.map((column) => column.name)]));
  const functions = FUNCTIONS.map((name) => ({ label: name, type: "function" }));
  return [
    sql({ dialect: ClickHouse, schema, keywordCompletion: (label) => ({ label: label.toUpperCase(), boost: -1 }) }),
    ClickHouse.language.data.of({ autocomplete: completeFromList(functions) }),
    ClickHouse.language.data.of({ autocomplete: (context: CompletionContext) => columnsAt(tables, context) }),
  ];
}

function columnsAt(tables: readonly Table[], context: CompletionContext): CompletionResult | null {
  const word = context.matchBefore(/(?<![\w.])\w+/);
  if (word === null) {
    return null;
  }
  return { from: word.from, options: [...columnsFor(tables, context.state.doc.toString())], validFor: /^\w*$/ };
}

/** The columns of the collections that a query names; of all of them where it names none yet. */
export function columnsFor(tables: readonly Table[], query: string): readonly Completion[] {
  const words = new Set(query.match(/\w+/g));
  const named = tables.filter(({ name }) => words.has(name));
  const found = new Map<string, Completion>();
  for (const { name, type } of (named.length > 0 ? named : tables).flatMap(({ columns }) => columns)) {
    found.set(name, { label: name, apply: quoted(name), detail: shortType(type), type: "property", boost: 1 });
  }
  return [...found.values()];
}
