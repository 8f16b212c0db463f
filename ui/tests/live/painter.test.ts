import { afterEach, expect, it, vi } from "vitest";
import { PAINT_EVERY_MS, Painter } from "../../src/live/painter";

afterEach(() => vi.useRealTimers());

it("takes no more than its part of the time where painting takes long", () => {
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "requestAnimationFrame", "cancelAnimationFrame", "performance"],
  });
  let paints = 0;
  const painter = new Painter(() => {
    paints++;
    vi.advanceTimersByTime(50);
  }, 0.1);
  painter.ask();
  vi.advanceTimersByTime(100);
  painter.ask();
  vi.advanceTimersByTime(PAINT_EVERY_MS * 2);
  expect(paints).toBe(1);
  vi.advanceTimersByTime(300);
  expect(paints).toBe(2);
  painter.close();
});
