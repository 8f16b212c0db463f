import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const CSS = readFileSync("src/styles/tokens.css", "utf8");
const COLORS = new Map(
  [...CSS.matchAll(/--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)].map(([, name, light, dark]) => [
    name as string,
    { light: light as string, dark: dark as string },
  ]),
);

/** WCAG 2.2, "relative luminance". */
function luminance(color: string): number {
  const [red, green, blue] = [1, 3, 5].map((start) => {
    const share = Number.parseInt(color.slice(start, start + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string, theme: "light" | "dark"): number {
  const [lighter, darker] = [one, other]
    .map((name) => luminance((COLORS.get(name) as { light: string; dark: string })[theme]))
    .sort((first, second) => second - first) as [number, number];
  return (lighter + 0.05) / (darker + 0.05);
}

const TEXTS = ["text", "text-muted", "accent", "good", "late", "bad"];
const GROUNDS = ["ground", "surface", "sunken"];

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  it.each(TEXTS.flatMap((text) => GROUNDS.map((ground) => [text, ground])))("%s is readable on %s", (text, ground) => {
    expect(contrast(text, ground, theme)).toBeGreaterThanOrEqual(4.5);
  });

  it.each([
    ["on-accent", "accent"],
    ["accent", "accent-soft"],
    ["late", "late-soft"],
    ["bad", "bad-soft"],
    ["text", "mark"],
    ["text", "flash"],
  ])("%s is readable on %s", (text, ground) => {
    expect(contrast(text, ground, theme)).toBeGreaterThanOrEqual(4.5);
  });

  it.each(["1", "2", "3", "4", "5", "6", "7", "8", "rest"])("series %s stands out from the surface", (series) => {
    expect(contrast(`series-${series}`, "surface", theme)).toBeGreaterThanOrEqual(3);
  });
});
