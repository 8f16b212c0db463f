import { render, screen, within } from "@testing-library/preact";
import { describe, expect, it } from "vitest";
import type { Status, TargetStatus } from "../src/api/types";
import Home from "../src/pages/home";
import { documentsOf, freshnessOf, troublesOf } from "../src/pages/home/summary";
import { serve } from "./fakeServer";

const target = (changed: Partial<TargetStatus>): TargetStatus => ({
  collection: "donations",
  target: "sql",
  table: "Donations",
  phase: "streaming",
  ready: true,
  caught_up: true,
  generation: 1,
  stalled: false,
  progress: 1,
  scanned: 0,
  scan_total: 0,
  lag_seconds: 0.1,
  documents: null,
  waiting: 0,
  dead_letters: 0,
  gaps: [],
  verified_at: 0,
  differences: 0,
  error: null,
  ...changed,
});

const status = (...collections: TargetStatus[]): Status => ({
  version: "0",
  started_at: 0,
  now: 0,
  collections,
  positions: [],
  dead_letters: 0,
});

describe("a collection's freshness", () => {
  it.each([
    [{}, { level: "live", text: "Live" }],
    [
      { lag_seconds: 4.2, caught_up: false },
      { level: "late", text: "4 s behind" },
    ],
    [{ lag_seconds: 70 }, { level: "bad", text: "1 min behind" }],
    [
      { phase: "backfilling", progress: 0.437 },
      { level: "late", text: "First copy 43%", detail: "in sql" },
    ],
    [{ phase: "gap" }, { level: "bad", text: "Changes were lost, being repaired", detail: "in sql" }],
  ] as const)("%j is %j", (changed, expected) => {
    expect(freshnessOf(status(target({ target: "metrics" }), target(changed)), "donations")).toEqual(expected);
  });

  it("is not known of a collection that no target has", () => {
    expect(freshnessOf(status(), "donations").level).toBe("waiting");
  });
});

it("counts documents where a target counts them", () => {
  const counted = status(target({}), target({ target: "search", documents: 7 }));
  expect(documentsOf(counted, "donations")).toBe(7);
  expect(documentsOf(counted, "users")).toBeNull();
});

it("names what a verification found to differ, and how it is repaired", () => {
  const [trouble] = troublesOf(status(target({ differences: 3 })));
  expect(trouble).toEqual(
    expect.objectContaining({
      what: "3 documents of donations in sql differ from the table",
      command: "dynalens verify donations --target sql --repair",
    }),
  );
  expect(troublesOf(status(target({ differences: 1 })))[0]?.what).toContain("1 document of");
  expect(troublesOf(status(target({ differences: 0 })))).toEqual([]);
});

it("names errors and dead letters with what to do", () => {
  const error = { code: "target", message: "ClickHouse is away.", hint: "Start it." };
  const troubles = troublesOf({ ...status(target({ error })), dead_letters: 2 });
  expect(troubles).toEqual([
    { what: "donations in sql: ClickHouse is away.", why: "Start it." },
    expect.objectContaining({ what: "2 dead letters wait", command: "dynalens dlq list" }),
  ]);
});

describe("the overview", () => {
  it("lists collections and dashboards, and what to do next with them", async () => {
    serve({
      "/api/v1/status": JSON.stringify(status(target({ documents: 2400 }))),
      "/api/v1/collections": '{"collections": [{"name": "donations", "table": "Donations", "metrics": ["by"]}]}',
      "/api/v1/dashboards": '{"dashboards": [{"name": "night", "title": "The night"}]}',
    });
    render(<Home />);
    const row = (await screen.findByRole("rowheader", { name: "donations" })).closest("tr") as HTMLElement;
    expect(row.textContent?.replaceAll(/[.,]/g, "")).toContain("2400");
    within(row).getByText("Live");
    expect((await screen.findByRole("link", { name: "The night" })).getAttribute("href")).toBe("/dashboards/night");
    screen.getByText("dynalens search donations 'a word'");
  });

  it("says why the collections cannot be read", async () => {
    serve({});
    render(<Home />);
    expect((await screen.findAllByRole("alert")).map((alert) => alert.textContent)).toContain(
      "The collections could not be readNot there.Look elsewhere.Try again",
    );
  });
});
