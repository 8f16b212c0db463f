/** Light, dark or the system's choice, kept in this browser. The tokens do the rest. */

import { useState } from "preact/hooks";
import { MoonIcon, SunIcon, SystemIcon } from "./components/icons";
import { Segmented } from "./components/Segmented";

export type Theme = "system" | "light" | "dark";

const KEY = "dynalens.theme";

/** The theme that was chosen before; `system` where none was, or where the browser keeps nothing. */
export function storedTheme(): Theme {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === "light" || stored === "dark" ? stored : "system";
  } catch {
    return "system";
  }
}

/** Show a theme, and tell canvases, which cannot see the tokens change. */
export function showTheme(theme: Theme): void {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  themeChanges.dispatchEvent(new Event("change"));
}

/** Fires `change` when colours changed: by choice here, or by the system. */
export const themeChanges = new EventTarget();

/** Follow the system's changes for as long as the page lives. */
export function followSystem(): void {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    themeChanges.dispatchEvent(new Event("change")),
  );
}

const CHOICES = [
  { value: "light", label: "Light", icon: <SunIcon /> },
  { value: "dark", label: "Dark", icon: <MoonIcon /> },
  { value: "system", label: "As the system", icon: <SystemIcon /> },
] as const;

export function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(storedTheme);
  const choose = (chosen: Theme) => {
    setTheme(chosen);
    showTheme(chosen);
    keep(chosen);
  };
  return <Segmented label="Theme" value={theme} options={CHOICES} onChange={choose} />;
}

function keep(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // A browser that keeps nothing still shows the theme until the page is left.
  }
}
