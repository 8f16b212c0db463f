/** An answer as text to paste: every digit as it came, NULL told from the empty text where the format can. */

import { type Json, writeJson } from "../../api/json";
import type { Answer } from "./answer";

export type Format = "TSV" | "CSV" | "JSON";

export const FORMATS: readonly Format[] = ["TSV", "CSV", "JSON"];

export function written(answer: Answer, format: Format): string {
  switch (format) {
    case "TSV":
      return lines(answer, "\t", "\n");
    case "CSV":
      return lines(answer, ",", "\r\n");
    case "JSON":
      return json(answer);
  }
}

/** A cell as it is shown and copied: texts as they are, all else as JSON; NULL is empty. */
export function cellText(value: Json): string {
  return value === null ? "" : typeof value === "string" ? value : writeJson(value);
}

/** As RFC 4180 and spreadsheets read it: NULL is nothing, the empty text is a pair of quotes. */
function lines(answer: Answer, separator: string, end: string): string {
  const header = answer.columns.map(({ name }) => field(name, separator)).join(separator);
  const rows = answer.rows.map((row) => row.map((value) => field(value, separator)).join(separator));
  return [header, ...rows].map((line) => line + end).join("");
}

function field(value: Json, separator: string): string {
  const text = cellText(value);
  const isEmptyText = value === "";
  return isEmptyText || text.includes(separator) || /["\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** One object per row; rows as lists where two columns share a name, which an object could not hold. */
function json({ columns, rows }: Answer): string {
  const names = columns.map(({ name }) => name);
  const distinct = new Set(names).size === names.length;
  const written = rows.map((row) =>
    writeJson(distinct ? Object.fromEntries(names.map((name, index) => [name, row[index] ?? null])) : [...row]),
  );
  return written.length === 0 ? "[]\n" : `[\n${written.join(",\n")}\n]\n`;
}
