/** How a document reads: its leaves by path, and the one that names it. */

import { isNested, type Json, type Scalar } from "../../api/json";
import type { Document } from "../../api/types";

export interface Leaf {
  /** Names joined by dots, as filters, facets and highlights write them. */
  readonly path: string;
  /** More than one for lists, which are looked into. */
  readonly values: readonly Scalar[];
}

/** Names that people give to what a thing is called, the likeliest first. */
const TITLES = ["title", "name", "subject", "headline", "label", "description", "text"];
const LONGEST_TITLE = 120;

export function leavesOf(document: Document): readonly Leaf[] {
  const found = new Map<string, Scalar[]>();
  for (const [name, value] of Object.entries(document)) {
    collect(found, name, value);
  }
  return [...found].map(([path, values]) => ({ path, values }));
}

/** The path of the text that names a document; undefined where none does, and its id must do. */
export function titleOf(leaves: readonly Leaf[]): string | undefined {
  const texts = leaves.filter(isTitle);
  const named = TITLES.map((title) => texts.find(({ path }) => lastName(path) === title)).find(Boolean);
  return (named ?? texts.find(({ values }) => String(values[0]).includes(" ")))?.path;
}

function isTitle({ path, values }: Leaf): boolean {
  const [text] = values;
  const isOwn = !path.includes(".") && values.length === 1;
  return isOwn && typeof text === "string" && text.trim() !== "" && text.length <= LONGEST_TITLE;
}

function lastName(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1).toLowerCase();
}

function collect(found: Map<string, Scalar[]>, path: string, value: Json): void {
  if (Array.isArray(value)) {
    for (const member of value) {
      collect(found, path, member);
    }
  } else if (isNested(value)) {
    for (const [name, member] of Object.entries(value)) {
      collect(found, `${path}.${name}`, member);
    }
  } else {
    found.set(path, [...(found.get(path) ?? []), value]);
  }
}
