import { fireEvent, render, screen } from "@testing-library/preact";
import { expect, it, vi } from "vitest";
import { showTheme, storedTheme, ThemeSwitch, themeChanges } from "../src/theme";

it("shows and keeps the chosen theme, and tells canvases", () => {
  const heard = vi.fn();
  themeChanges.addEventListener("change", heard);
  render(<ThemeSwitch />);
  expect(screen.getByLabelText("As the system")).toHaveProperty("checked", true);
  fireEvent.click(screen.getByLabelText("Dark"));
  expect(document.documentElement.dataset.theme).toBe("dark");
  expect(storedTheme()).toBe("dark");
  expect(heard).toHaveBeenCalledTimes(1);
});

it("goes back to the system's", () => {
  showTheme("light");
  showTheme("system");
  expect(document.documentElement.dataset.theme).toBeUndefined();
});

it("takes no theme that it does not know", () => {
  localStorage.setItem("dynalens.theme", "neon");
  expect(storedTheme()).toBe("system");
});
