/** From the status of every collection in every target to one line per collection. */

import type { Phase, Status, TargetStatus } from "../../api/types";
import type { Freshness } from "../../components/Fresh";
import { formatDuration, formatNumber } from "../../format";

const LATE_SECONDS = 2;
const STALE_SECONDS = 10;

const WORST_FIRST: readonly Phase[] = ["gap", "stalled", "rebuilding", "backfilling", "streaming"];

const WORDS: Record<Exclude<Phase, "streaming">, { level: Freshness["level"]; text: string }> = {
  gap: { level: "bad", text: "Changes were lost, being repaired" },
  stalled: { level: "bad", text: "Stalled" },
  rebuilding: { level: "late", text: "Being rebuilt" },
  backfilling: { level: "late", text: "First copy" },
};

/** The slowest target's freshness, as that is what someone may be looking at. */
export function freshnessOf(status: Status, collection: string): Freshness {
  const targets = targetsOf(status, collection);
  const worst = [...targets].sort((one, other) => rank(one) - rank(other))[0];
  if (!worst) return { level: "waiting", text: "Not known yet" };
  if (worst.phase !== "streaming") {
    const { level, text } = WORDS[worst.phase];
    const done = worst.phase === "backfilling" ? ` ${Math.floor(worst.progress * 100)}%` : "";
    return { level, text: `${text}${done}`, detail: `in ${worst.target}` };
  }
  const lag = Math.max(...targets.map(({ lag_seconds }) => lag_seconds));
  if (lag < LATE_SECONDS) return { level: "live", text: worst.caught_up ? "Live" : formatLag(lag) };
  return { level: lag < STALE_SECONDS ? "late" : "bad", text: formatLag(lag) };
}

/** As the target says that counts them; null where none does. */
export function documentsOf(status: Status, collection: string): number | null {
  return targetsOf(status, collection).find(({ documents }) => documents !== null)?.documents ?? null;
}

export interface Trouble {
  what: string;
  why: string;
  command?: string;
}

/** What somebody should look at, with the command to begin with. */
export function troublesOf(status: Status): Trouble[] {
  const errors = status.collections.flatMap(({ collection, target, error }) =>
    error ? [{ what: `${collection} in ${target}: ${error.message}`, why: error.hint }] : [],
  );
  return [...errors, ...differencesIn(status), ...lettersIn(status)];
}

const differencesIn = (status: Status): Trouble[] =>
  status.collections
    .filter(({ differences }) => differences > 0)
    .map(({ collection, target, differences }) => ({
      what: `${formatNumber(differences)} ${differences === 1 ? "document" : "documents"} of ${collection} in ${target} ${
        differences === 1 ? "differs" : "differ"
      } from the table`,
      why: "The last verification found this and left it as it was.",
      command: `dynalens verify ${collection} --target ${target} --repair`,
    }));

const lettersIn = ({ dead_letters }: Status): Trouble[] =>
  dead_letters === 0
    ? []
    : [
        {
          what: `${formatNumber(dead_letters)} dead letters wait`,
          why: "A target could not hold these changes. Everything else is complete.",
          command: "dynalens dlq list",
        },
      ];

const targetsOf = (status: Status, collection: string): TargetStatus[] =>
  status.collections.filter((one) => one.collection === collection);

const rank = ({ phase }: TargetStatus): number => WORST_FIRST.indexOf(phase);

const formatLag = (seconds: number): string => `${formatDuration(seconds * 1000)} behind`;
