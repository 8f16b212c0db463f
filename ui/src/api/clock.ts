/** The server's time of day: ages and buckets of time must not depend on how well the reader's clock is set. */

/** HTTP's `Date` counts whole seconds, and servers renew it once a second. */
const GRAIN_MS = 2_000;

let ahead = 0;

/**
 * Take the server's time from an answer. A slow answer is no wrong clock: ours is moved only as far as it is proved wrong.
 *
 * @param sent When the request was sent, by `Date.now()`.
 */
export function noteTime({ headers }: Response, sent: number): void {
  const told = Date.parse(headers.get("Date") ?? "");
  if (Number.isNaN(told)) return;
  ahead = Math.max(0, told - Date.now()) + Math.min(0, told + GRAIN_MS - sent);
}

/** Milliseconds since 1970 by the server's clock, as far as its answers told. */
export const serverNow = (): number => Date.now() + ahead;
