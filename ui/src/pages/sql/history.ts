/** The queries that were run last, kept in this browser alone. */

const KEY = "dynalens.sql.history";
const KEPT = 30;

export function readHistory(): readonly string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((query) => typeof query === "string") : [];
  } catch {
    return []; // Written by something else, or not readable here.
  }
}

/** Put a query first, and give what is kept then. */
export function remember(query: string): readonly string[] {
  const text = query.trim();
  const kept = [text, ...readHistory().filter((other) => other !== text)].slice(0, KEPT);
  try {
    localStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // No room or no permission: the history of this visit does without.
  }
  return kept;
}

export function forget(): void {
  try {
    localStorage.removeItem(KEY);
  } catch {
    // Where nothing may be kept there is nothing to forget.
  }
}
