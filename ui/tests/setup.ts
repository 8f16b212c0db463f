import { cleanup, configure } from "@testing-library/preact";
import { afterEach, beforeEach, vi } from "vitest";

// How long to wait for what will come: only a failing test waits so long, and a busy machine may need it.
configure({ asyncUtilTimeout: 10_000 });

// What jsdom does not have and pages ask for.
beforeEach(() => {
  vi.stubGlobal("matchMedia", () => Object.assign(new EventTarget(), { matches: false }));
  Element.prototype.animate = vi.fn<typeof Element.prototype.animate>();
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  localStorage.clear();
});
