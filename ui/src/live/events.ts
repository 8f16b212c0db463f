/** What `GET /api/v1/live` says, event by event (docs/http-api.md, "Live"). */

import type { Json } from "../api/json";
import type { Document, GroupBy, Phase, Values } from "../api/types";

export interface Group {
  group: GroupBy;
  values: Values;
  /** False: a dead letter is missing from it. */
  exact?: boolean;
}

/** A metric with all its groups: the first event of each metric, and the first after anything was missed. */
export interface Snapshot {
  metric: string;
  groups: Group[];
  total: Values | null;
}

/** What one group is now; `values` null: it is gone. */
export interface Change {
  metric: string;
  group: GroupBy;
  values: Values | null;
  total: Values | null;
  exact?: boolean;
}

/** A document as it is now; null: it was deleted. */
export interface DocumentChange {
  collection: string;
  id: string;
  document: Document | null;
}

/** Documents were left out, because this viewer was slow or the target was away. */
export interface Lagged {
  collection: string;
  missed: number | null;
}

/** Nothing can be heard of a metric or a collection now. */
export interface Stale {
  metric?: string;
  collection?: string;
  error: { code: string; message: string; hint: string };
}

/** How old at most is what viewers of a collection see. */
export interface FreshEvent {
  collection: string;
  phase: Phase;
  age_ms: number;
  caught_up: boolean;
}

export type LiveEvent =
  | { type: "snapshot"; data: Snapshot }
  | { type: "change"; data: Change }
  | { type: "document"; data: DocumentChange }
  | { type: "lagged"; data: Lagged }
  | { type: "stale"; data: Stale }
  | { type: "fresh"; data: FreshEvent };

export const EVENT_TYPES = ["snapshot", "change", "document", "lagged", "stale", "fresh"] as const;

/** One event as it was heard; the server's events are trusted to have its shapes. */
export function liveEvent(type: LiveEvent["type"], data: Json): LiveEvent {
  return { type, data } as unknown as LiveEvent;
}
