import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { noteTime, serverNow } from "../src/api/clock";

const NOON = Date.parse("2026-11-21T12:00:00Z");
const HOUR = 3_600_000;
const answer = (time: number) => new Response("", { headers: { Date: new Date(time).toUTCString() } });

describe("the server's clock", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: NOON });
    noteTime(answer(NOON), NOON);
  });
  afterEach(() => vi.useRealTimers());

  it.each([
    ["hours ahead of ours", 5 * HOUR],
    ["hours behind ours", -5 * HOUR],
  ])("is followed where it is %s", (_, ahead) => {
    noteTime(answer(NOON + ahead), NOON);
    expect(Math.abs(serverNow() - NOON - ahead)).toBeLessThanOrEqual(2000);
  });

  it("is ours where an answer took long, and where it says nothing", () => {
    noteTime(answer(NOON - 9000), NOON - 9500);
    expect(serverNow()).toBe(NOON);
    noteTime(new Response(""), NOON);
    expect(serverNow()).toBe(NOON);
  });
});
