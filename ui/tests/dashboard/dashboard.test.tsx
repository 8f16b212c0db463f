import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/preact";
import axe from "axe-core";
import { LocationProvider, Route, Router } from "preact-iso";
import { beforeEach, describe, expect, it, vi } from "vitest";
import DashboardPage from "../../src/pages/dashboard";
import { FakeEventSource, serve } from "../fakeServer";

// Canvases are for browsers; the option that is drawn has tests of its own.
vi.mock("../../src/charts/echarts", () => ({
  init: () => ({ setOption: vi.fn(), resize: vi.fn(), dispose: vi.fn(), convertToPixel: () => 10 }),
}));

const DASHBOARD = `{"name": "fundraiser", "title": "Charity fundraiser", "panels": [
  {"show": "number", "title": "Raised", "metric": "donations.by", "value": "amount_sum", "unit": "EUR", "goal": 100},
  {"show": "bars", "title": "By platform", "metric": "donations.by", "value": "amount_sum", "unit": "EUR"},
  {"show": "line", "title": "Given", "metric": "donations.minutes", "value": "count", "unit": null, "every_seconds": 60},
  {"show": "latest", "title": "Latest", "collection": "donations", "sort": "at", "fields": ["name", "amount"], "size": 3}]}`;

const SEARCH = `{"total": 1, "took_ms": 1, "facets": {}, "hits": [
  {"id": "1", "score": null, "document": {"name": "<b>Amelia</b>", "amount": 10.5, "at": "2026-11-21T15:00:00Z"}}]}`;

const total = (sum: string) => `{"count": 2, "amount_sum": ${sum}}`;
const snapshot = (phone: string, web: string, sum: string) => `{"metric": "donations.by", "groups": [
  {"group": {"platform": "Web"}, "values": {"count": 1, "amount_sum": ${web}}},
  {"group": {"platform": "Phone"}, "values": {"count": 1, "amount_sum": ${phone}}}], "total": ${total(sum)}}`;

async function open(address = "/dashboards/fundraiser", dashboard = DASHBOARD) {
  serve({
    "/api/v1/dashboards/fundraiser": dashboard,
    "/api/v1/collections/donations/search": SEARCH,
  });
  history.replaceState(null, "", address);
  const page = render(
    <LocationProvider>
      <main>
        <Router>
          <Route path="/dashboards/:name" component={DashboardPage} />
          <Route default component={() => null} />
        </Router>
      </main>
    </LocationProvider>,
  );
  return page;
}

async function openLive() {
  const page = await open();
  await screen.findByRole("heading", { level: 1, name: "Charity fundraiser" });
  const stream = await waitFor(() => FakeEventSource.newest);
  act(() => stream.accept());
  stream.say("snapshot", snapshot("60.5", "1.25", "61.75"));
  stream.say("snapshot", '{"metric": "donations.minutes", "groups": [], "total": null}');
  stream.say("fresh", '{"collection": "donations", "phase": "streaming", "age_ms": 120, "caught_up": true}');
  await within(panel("Raised")).findByText(/61.75/);
  return { page, stream };
}

const panel = (title: string) => screen.getByRole("region", { name: title });

beforeEach(() => {
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      disconnect() {}
    },
  );
});

describe("a dashboard", () => {
  it("shows the total, what is missing to the goal and how fresh it is", async () => {
    await openLive();
    const goal = within(panel("Raised")).getByRole("progressbar");
    expect(goal.getAttribute("aria-valuenow")).toBe("61.7");
    expect(goal.getAttribute("aria-valuetext")).toMatch(/61.7% of .*100.00.*38.25.* to go/);
    expect(within(panel("Raised")).getByTitle(/ms ago/).dataset.level).toBe("live");
  });

  it("shows bars by size with their exact values", async () => {
    await openLive();
    const rows = within(panel("By platform")).getAllByRole("listitem");
    expect(rows.map((row) => row.textContent)).toEqual([
      expect.stringMatching(/^Phone.*60.50$/),
      expect.stringMatching(/^Web.*1.25$/),
    ]);
  });

  it("shows changes as they are heard, to the last cent, one after the other", async () => {
    const { stream } = await openLive();
    for (const sum of ["62.75", "90071992547409931.11", "63"]) {
      stream.say("snapshot", snapshot("60.5", "1.25", sum));
      const digits = sum === "63" ? "6300" : sum.replace(".", "");
      await waitFor(() => {
        const shown = within(panel("Raised")).getAllByText(/^[^+−%]*\d[.,]\d\d$/)[0];
        expect(shown?.textContent?.replaceAll(/\D/g, "")).toBe(digits);
      });
    }
  });

  it("says by how much the number changed", async () => {
    const { stream } = await openLive();
    stream.say("snapshot", snapshot("61.5", "1.25", "62.75"));
    await within(panel("Raised")).findByText(/^\+.*1.00/);
  });

  it("says that the goal is reached, never before it is", async () => {
    const { stream } = await openLive();
    stream.say("snapshot", snapshot("60", "39.99", "99.99"));
    await within(panel("Raised")).findByText(/99.9%/);
    stream.say("snapshot", snapshot("60", "45", "105"));
    await within(panel("Raised")).findByText(/Goal reached, .*5.00 beyond/);
  });

  it("shows documents as text, whatever they hold", async () => {
    await openLive();
    await within(panel("Latest")).findByText("<b>Amelia</b>");
  });

  it("puts arrivals on top", async () => {
    const { stream } = await openLive();
    await within(panel("Latest")).findByText("<b>Amelia</b>");
    stream.say(
      "document",
      '{"collection": "donations", "id": "2", "document": {"name": "Noah", "amount": 5, "at": "2026-11-21T15:00:01Z"}}',
    );
    await within(panel("Latest")).findByText("Noah");
    const names = within(panel("Latest")).getAllByRole("rowheader");
    expect(names.map((name) => name.textContent)).toEqual(["Noah", "<b>Amelia</b>"]);
  });

  it("says what a panel without groups waits for", async () => {
    await openLive();
    within(panel("Given")).getByText("Nothing yet");
  });

  it("greys old figures and keeps them when the connection is lost", async () => {
    const { stream } = await openLive();
    stream.breakOff();
    await within(panel("Raised")).findByText("Reconnecting");
    within(panel("Raised")).getByText(/61.75/);
    expect(panel("Raised").querySelector(".stale")).not.toBeNull();
    screen.getByText("The connection was lost. Figures may be out of date.");
  });

  it("says that the first copy is still running", async () => {
    const { stream } = await openLive();
    stream.say("fresh", '{"collection": "donations", "phase": "backfilling", "age_ms": 1, "caught_up": false}');
    await within(panel("Raised")).findByText("First copy is running");
  });

  it("says that dead letters are missing", async () => {
    const { stream } = await openLive();
    stream.say(
      "change",
      '{"metric": "donations.by", "group": {"platform": "Web"}, "values": {"amount_sum": 1}, "total": {"amount_sum": 61.5}, "exact": false}',
    );
    await within(panel("By platform")).findByText(/Dead letters are missing/);
  });

  it("has nothing that axe objects to", async () => {
    const { page } = await openLive();
    fireEvent.keyDown(document.body, { key: "t" });
    // Colours need a browser; tokens.test.ts has them.
    const { violations } = await axe.run(page.container, { rules: { "color-contrast": { enabled: false } } });
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
  });
});

describe("tables", () => {
  const isTable = (title: string) => within(panel(title)).queryByRole("columnheader", { name: "Group" }) !== null;

  it("turn with t: all of them, or the one that has the focus", async () => {
    await openLive();
    fireEvent.keyDown(document.body, { key: "t" });
    within(panel("Raised")).getByRole("table");
    expect(isTable("By platform")).toBe(true);
    fireEvent.keyDown(document.body, { key: "t" });
    expect(isTable("By platform")).toBe(false);

    const button = within(panel("By platform")).getByRole("button", { name: "Show as a table" });
    button.focus();
    fireEvent.keyDown(button, { key: "t" });
    expect(isTable("By platform")).toBe(true);
    expect(button.getAttribute("aria-pressed")).toBe("true");
    expect(within(panel("Raised")).queryByRole("table")).toBeNull();
  });

  it("leave the key to whom types, and to the browser's own shortcuts", async () => {
    await openLive();
    fireEvent.keyDown(document.body, { key: "t", ctrlKey: true });
    expect(isTable("By platform")).toBe(false);
  });

  it("are copied with every digit and no separators", async () => {
    const { stream } = await openLive();
    stream.say("snapshot", snapshot("12345678901234567890.5", "1.25", "12345678901234567891.75"));
    await within(panel("By platform")).findByText(/567.890.50/);
    const written = vi.fn(async () => {});
    vi.stubGlobal("navigator", { clipboard: { writeText: written } });
    fireEvent.click(within(panel("By platform")).getByRole("button", { name: "Copy as a table" }));
    expect(written).toHaveBeenCalledWith("Group\tamount_sum\nPhone\t12345678901234567890.5\nWeb\t1.25");
    await within(panel("By platform")).findByText("Copied");
    fireEvent.click(within(panel("Raised")).getByRole("button", { name: "Copy the number" }));
    expect(written).toHaveBeenLastCalledWith("12345678901234567891.75");
  });

  it("have the same as JSON at an address", async () => {
    await openLive();
    const link = within(panel("By platform")).getByRole("link", { name: "The same as JSON" });
    expect(link.getAttribute("href")).toBe("/api/v1/collections/donations/metrics/by");
  });
});

describe("a dashboard that cannot be shown", () => {
  it("says what, why and what now", async () => {
    await open("/dashboards/missing");
    const alert = await screen.findByRole("alert");
    expect(alert.textContent).toBe("This dashboard could not be readNot there.Look elsewhere.Try again");
  });

  it("says how to give it panels", async () => {
    await open("/dashboards/fundraiser", '{"name": "fundraiser", "title": "Empty", "panels": []}');
    await screen.findByText("This dashboard has no panels");
  });
});

describe("on a wall", () => {
  it("there is no chrome but a way back", async () => {
    await open("/dashboards/fundraiser?wall");
    await screen.findByRole("heading", { level: 1, name: "Charity fundraiser" });
    expect(screen.queryByRole("link", { name: "Wall" })).toBeNull();
    expect(screen.getByRole("link", { name: "Leave the wall view" }).getAttribute("href")).toBe(
      "/dashboards/fundraiser",
    );
  });
});
