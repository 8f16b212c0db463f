/** How fresh a figure is, in the words beside its dot. */

import type { Phase } from "../api/types";
import type { Freshness } from "../components/Fresh";
import { formatDuration } from "../format";
import type { View } from "./live";

/** What freshness is read from. */
export type Heard = Pick<View, "connection" | "fresh" | "stale">;

/** Older than this is late. */
const LATE_MS = 2_000;
/** Older than this, or without a connection for this long, is red. */
const STALE_MS = 10_000;
const RECONNECTING_MS = 5_000;

const PHASES: Partial<Record<Phase, { level: Freshness["level"]; text: string }>> = {
  backfilling: { level: "late", text: "First copy is running" },
  rebuilding: { level: "late", text: "Being rebuilt" },
  stalled: { level: "bad", text: "Stalled" },
  gap: { level: "bad", text: "Changes were lost, being repaired" },
};

/**
 * @param subject The metric (`donations.by_platform`) or collection that the figure is of.
 * @param now In the clock of `performance.now()`.
 */
export function freshness(view: Heard | undefined, subject: string, now: number): Freshness {
  if (!view) return { level: "waiting", text: "Connecting" };
  return lost(view, now) ?? unheard(view, subject) ?? told(view, subject, now);
}

/** Whether the figures may be out of date, so that they are greyed. */
export const isStale = (view: Heard | undefined, { level }: Freshness): boolean =>
  level === "bad" || view?.connection.phase === "reconnecting";

function lost({ connection: { phase, since, error } }: Heard, now: number): Freshness | undefined {
  const away = now - since;
  if (phase === "open" || (phase === "connecting" && !error && away < RECONNECTING_MS)) return undefined;
  if (away < RECONNECTING_MS) return { level: "late", text: "Reconnecting" };
  const why = error?.message ?? "The server does not answer.";
  return {
    level: "bad",
    text: `Disconnected for ${formatDuration(away)}`,
    detail: `${why} ${error?.hint ?? ""}`.trim(),
  };
}

function unheard({ stale }: Heard, subject: string): Freshness | undefined {
  const error = stale.get(subject);
  return error && { level: "bad", text: error.message, detail: error.hint };
}

function told({ fresh }: Heard, subject: string, now: number): Freshness {
  const known = fresh.get(collectionOf(subject));
  if (!known) return { level: "waiting", text: "Connecting" };
  const phase = PHASES[known.phase];
  if (phase) return phase;
  const age = known.ageMs + Math.max(0, now - known.heardAt);
  const level = age < LATE_MS ? "live" : age < STALE_MS ? "late" : "bad";
  return { level, text: `${formatDuration(age)} ago` };
}

const collectionOf = (subject: string): string => subject.split(".", 1)[0] ?? subject;
