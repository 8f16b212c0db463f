import { type Json, writeJson } from "../../api/json";

/** A value as people read it and as filters write it: texts as they are, numbers with every digit. */
export function scalarText(value: Json): string {
  return typeof value === "string" ? value : writeJson(value);
}
