/** The newest documents of a collection: what a search found, kept up to date by what is heard after it. */

import Big from "big.js";
import { isNumeric, type Json, own } from "../api/json";
import type { Document, Hit } from "../api/types";
import type { DocumentChange } from "./events";

export interface LatestRow {
  id: string;
  document: Document;
  /** Heard after the page was opened, so it slides in. */
  arrived: boolean;
}

export interface LatestQuery {
  collection: string;
  /** The attribute that says which is newest; null: in the order of arrival. */
  by: string | null;
  size: number;
}

/** What was heard since a search was asked for, by document. */
type Awaited = Map<string, DocumentChange>;

/** Rows held beyond those shown, so that a deleted one has a successor. */
const RESERVE = 20;

export class LatestFold {
  private rows: LatestRow[] = [];
  /** Heard since the search was asked: it wins over what the search found. Null where no search is awaited. */
  private awaited: Awaited | null = null;
  private complete = false;

  constructor(readonly query: LatestQuery) {}

  /** How many hits to ask for. */
  get room(): number {
    return this.query.size + RESERVE;
  }

  /** Rows are missing that the collection still has. */
  get short(): boolean {
    return this.complete && this.rows.length < this.query.size && this.awaited === null;
  }

  /** A search is being asked for: remember what is heard meanwhile. Gives what stands for this search. */
  ask(): Awaited {
    this.awaited = new Map();
    return this.awaited;
  }

  /** A search failed. */
  giveUp(search: Awaited): void {
    if (this.awaited === search) this.awaited = null;
  }

  /** A search answered; only the last one asked for counts. */
  begin(search: Awaited, hits: readonly Hit[]): void {
    if (this.awaited !== search) return;
    this.awaited = null;
    this.complete = hits.length >= this.room;
    const arrived = new Set(this.rows.filter((row) => row.arrived).map((row) => row.id));
    const found = hits.map(({ id, document }) => ({ id, document, arrived: arrived.has(id) }));
    this.rows = this.inOrder(found);
    for (const change of search.values()) this.hear(change);
  }

  hear(change: DocumentChange): void {
    const { id, document } = change;
    this.awaited?.set(id, change);
    const place = this.rows.findIndex((row) => row.id === id);
    const before = place === -1 ? undefined : this.rows.splice(place, 1)[0];
    if (document === null) return;
    const row = { id, document, arrived: before?.arrived ?? true };
    // Where the order is that of arrival, a document that changed stays in its place.
    if (this.query.by === null && before) this.rows.splice(place, 0, row);
    else this.insert(row);
    this.rows.length = Math.min(this.rows.length, this.room);
  }

  state(): readonly LatestRow[] {
    return this.rows.slice(0, this.query.size);
  }

  private insert(row: LatestRow): void {
    const place = this.rows.findIndex((other) => this.compare(row, other) <= 0);
    this.rows.splice(place === -1 ? this.rows.length : place, 0, row);
  }

  private inOrder(rows: LatestRow[]): LatestRow[] {
    return rows.sort((one, other) => this.compare(one, other));
  }

  /** Newest first; among equals the one heard last. */
  private compare(one: LatestRow, other: LatestRow): number {
    const { by } = this.query;
    return by === null ? 0 : compareJson(own(other.document, by), own(one.document, by));
  }
}

/** Order of two values of an attribute: missing, then numbers, then text. */
function compareJson(one: Json | undefined, other: Json | undefined): number {
  if (isNumeric(one) && isNumeric(other)) return new Big(one.toString()).cmp(other.toString());
  if (typeof one === "string" && typeof other === "string") return one < other ? -1 : Number(one > other);
  return rank(one) - rank(other);
}

function rank(value: Json | undefined): number {
  if (typeof value === "string") return 2;
  return isNumeric(value) ? 1 : 0;
}
