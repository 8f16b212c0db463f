/** The collections as SQL sees them: their columns with the engine's types. */

import { ApiError, post, type RequestOptions } from "../../api/client";
import { getCollections } from "../../api/routes";
import { type Answer, type Column, SQL_ADDRESS } from "./answer";
import { quoted } from "./identifiers";

export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
}

/** One after the other: the engine answers four queries at a time, and the reader's own must find room. */
export async function getTables(options: RequestOptions): Promise<readonly Table[]> {
  const tables: Table[] = [];
  for (const { name } of await getCollections(options)) {
    tables.push({ name, columns: await columnsOf(name, options) });
  }
  return tables;
}

/** None where the collection has no documents for SQL yet, or is kept for search alone. */
async function columnsOf(collection: string, options: RequestOptions): Promise<readonly Column[]> {
  try {
    const { rows } = await post<Answer>(SQL_ADDRESS, { query: `DESCRIBE ${quoted(collection)}` }, options);
    return rows.map(([name, type]) => ({ name: String(name), type: String(type) }));
  } catch (error) {
    if (isMissing(error)) {
      return [];
    }
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}
