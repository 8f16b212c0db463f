/** Which colour a series has: the same on every chart and page, and on every screen that shows the same groups. */

import { themeChanges } from "../theme";

/** More series than this cannot be told apart by colour. */
export const SLOTS = 8;
/** The key of what is not grouped: it has the accent, as it is none of the groups that have colours. */
const UNGROUPED = "{}";
const given = new Map<string, number>();
const dimensions = new Map<string, number>();

/**
 * Give colours to series that have none yet, among those of the same attributes in the order of their keys.
 *
 * Their sizes do not count, so that a screen that was opened earlier, or later, shows them alike.
 *
 * @param dimension The attributes that tell the series apart: platforms do not take colours from countries.
 * @param series Keys that name attribute and value, so that "Phone" as a platform is the same series everywhere.
 */
export function giveColors(dimension: string, series: readonly string[]): void {
  for (const key of [...series].sort()) {
    if (given.has(key) || key === UNGROUPED) continue;
    const slot = (dimensions.get(dimension) ?? 0) + 1;
    dimensions.set(dimension, slot);
    given.set(key, slot);
  }
}

/** Series in the order in which they were given colours, which does not change while values do. */
export function inColorOrder<Series extends { key: string }>(series: readonly Series[]): Series[] {
  const slot = ({ key }: Series) => given.get(key) ?? Number.POSITIVE_INFINITY;
  return [...series].sort((one, other) => (slot(one) < slot(other) ? -1 : 1));
}

/** The token of a series' colour; grey for what came after the last colour was given. */
export function colorToken(series: string): string {
  if (series === UNGROUPED) return "--accent";
  const slot = given.get(series) ?? SLOTS + 1;
  return slot <= SLOTS ? `--series-${slot}` : "--series-rest";
}

const resolved = new Map<string, string>();
themeChanges.addEventListener("change", () => resolved.clear());

/** What a token is now, as a canvas needs it. */
export function resolveToken(token: string): string {
  const known = resolved.get(token);
  if (known) return known;
  const color = measure(token);
  resolved.set(token, color);
  return color;
}

function measure(token: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${token})`;
  // A canvas tells series apart by their colours alone, also where the system forces its own on the page.
  probe.style.setProperty("forced-color-adjust", "none");
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
