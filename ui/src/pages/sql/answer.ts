/** An answer of the SQL route as the page keeps it. */

import type { Json } from "../../api/json";

export interface Column {
  readonly name: string;
  readonly type: string;
}

export interface Answer {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Json[])[];
  readonly statistics: Statistics;
}

/** What the engine says it did; it may say less. */
export interface Statistics {
  readonly elapsed_ms?: number;
  readonly rows_read?: number;
}

export const SQL_ADDRESS = "/api/v1/sql";
