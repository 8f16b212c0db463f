import { EditorView } from "@codemirror/view";
import { fireEvent, render, screen, waitFor } from "@testing-library/preact";
import axe from "axe-core";
import { LocationProvider } from "preact-iso";
import { beforeEach, describe, expect, test, vi } from "vitest";
import SqlPage from "../../src/pages/sql";

// jsdom calls itself Safari, for which the editor reads selections in a way that jsdom has not.
vi.hoisted(() => Object.defineProperty(navigator, "vendor", { value: "" }));

const COLUMNS =
  '[["_id", "String"], ["email", "Nullable(String)"], ["platform", "Nullable(String)"], ["from", "Nullable(Decimal(38, 9))"]]';
const THREE_ROWS =
  '{"columns": [{"name": "name", "type": "Nullable(String)"}, {"name": "n", "type": "Decimal(38, 9)"}],' +
  ' "rows": [["a", 12345678901234567890.5], ["", null], [null, 0.1]], "statistics": {"elapsed_ms": 4.2, "rows_read": 7}}';

const SAMPLED = '{"columns": [], "rows": [[1000, 990, 5]], "statistics": {}}';

interface Server {
  collections: string[];
  /** To a query of the reader. */
  answer: (query: string, signal: AbortSignal) => Promise<Response>;
}

let server: Server;
let queries: string[];

beforeEach(() => {
  queries = [];
  server = { collections: ["donations"], answer: async () => new Response(THREE_ROWS) };
  vi.stubGlobal("fetch", answer);
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      disconnect() {}
    },
  );
  // Layout, which jsdom has not.
  vi.spyOn(Element.prototype, "clientWidth", "get").mockReturnValue(800);
  vi.spyOn(Element.prototype, "clientHeight", "get").mockReturnValue(400);
  Range.prototype.getClientRects = () => [] as unknown as DOMRectList;
});

async function answer(url: string, init: { body?: string; signal: AbortSignal }): Promise<Response> {
  if (url === "/api/v1/collections") {
    const collections = server.collections.map((name) => ({ name, table: name, metrics: [] }));
    return new Response(JSON.stringify({ collections }));
  }
  const { query } = JSON.parse(init.body ?? "{}") as { query: string };
  if (query.startsWith("DESCRIBE")) {
    return new Response(`{"columns": [], "rows": ${COLUMNS}, "statistics": {}}`);
  }
  queries.push(query);
  return server.answer(query, init.signal);
}

function open(query = "") {
  history.replaceState(null, "", query === "" ? "/sql" : `/sql?query=${encodeURIComponent(query)}`);
  return render(
    <LocationProvider>
      <SqlPage />
    </LocationProvider>,
  );
}

function editor(): EditorView {
  const hosts = [...document.querySelectorAll("*")].filter(({ shadowRoot }) => shadowRoot !== null);
  const content = hosts[0]?.shadowRoot?.querySelector<HTMLElement>(".cm-content");
  const view = content && EditorView.findFromDOM(content);
  if (!view) throw new Error("There is no editor.");
  return view;
}

function write(text: string) {
  const view = editor();
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}

const refused =
  (status: number, message: string, hint = "") =>
  async () =>
    new Response(JSON.stringify({ error: { code: "bad_request", message, hint } }), { status });
const never = () => new Promise<Response>(() => {});
const cells = () => [...document.querySelectorAll("[role=gridcell]")].map(({ textContent }) => textContent);

describe("the SQL page", () => {
  test("runs the address's query and shows exact values, NULL told from the empty text", async () => {
    open("SELECT name, n FROM donations");
    await screen.findByRole("grid");
    expect(cells()).toEqual(["a", "12345678901234567890.5", "empty", "NULL", "NULL", "0.1"]);
    expect([...document.querySelectorAll("[role=columnheader]")].map(({ textContent }) => textContent)).toEqual([
      "nameString",
      "nDecimal(38, 9)",
    ]);
    expect(screen.getByText(/rows in 4 ms, 7 read/)).toBeTruthy();
    expect(editor().state.doc.toString()).toBe("SELECT name, n FROM donations");
  });

  test("Ctrl-Enter runs what is written, and the address and the history keep it", async () => {
    open();
    write("SELECT 1");
    fireEvent.keyDown(editor().contentDOM, { key: "Enter", ctrlKey: true, composed: true });
    await screen.findByRole("grid");
    expect(queries).toEqual(["SELECT 1"]);
    expect(new URLSearchParams(location.search).get("query")).toBe("SELECT 1");
    expect(await screen.findByRole("button", { name: "SELECT 1" })).toBeTruthy();
    fireEvent.click(screen.getByRole("button", { name: "Forget them" }));
    await waitFor(() => expect(screen.queryByRole("button", { name: "SELECT 1" })).toBeNull());
  });

  test("Escape cancels, and says so", async () => {
    let signal: AbortSignal | undefined;
    server.answer = (_, given) => {
      signal = given;
      return never();
    };
    open("SELECT 1");
    fireEvent.keyDown(await screen.findByRole("button", { name: /Cancel/ }), { key: "Escape" });
    expect(await screen.findByText(/^Cancelled/)).toBeTruthy();
    expect(signal?.aborted).toBe(true);
    expect(screen.getByRole("button", { name: /Run/ })).toBeTruthy();
  });

  test("an error is shown with its hint, and marked in the text", async () => {
    server.answer = refused(400, "Unknown expression identifier `tittle`.", "DESCRIBE lists the columns.");
    open("SELECT\n  tittle FROM donations");
    const alert = await screen.findByRole("alert");
    expect(alert.textContent).toContain("line 2, column 3");
    expect(alert.textContent).toContain("DESCRIBE lists the columns.");
    await waitFor(() => expect(editor().dom.querySelector(".cm-lintRange-error")?.textContent).toBe("tittle"));
    expect(screen.queryByRole("button", { name: "Try again" })).toBeNull();
  });

  test("a busy server can be asked again", async () => {
    server.answer = refused(503, "Four queries run.", "Wait.");
    open("SELECT 1");
    const again = await screen.findByRole("button", { name: "Try again" });
    server.answer = async () => new Response(THREE_ROWS);
    fireEvent.click(again);
    await screen.findByRole("grid");
    expect(queries).toEqual(["SELECT 1", "SELECT 1"]);
  });

  test("the last answer stays while the next one is awaited", async () => {
    open("SELECT 1");
    await screen.findByRole("grid");
    server.answer = never;
    fireEvent.click(screen.getByRole("button", { name: /Run/ }));
    await screen.findByRole("button", { name: /Cancel/ });
    expect(screen.getByRole("grid")).toBeTruthy();
  });

  test("an empty answer is no failure", async () => {
    server.answer = async () =>
      new Response('{"columns": [{"name": "a", "type": "String"}], "rows": [], "statistics": {}}');
    open("SELECT a FROM donations WHERE 0");
    expect(await screen.findByText("No rows")).toBeTruthy();
  });

  test("names are put into the query, quoted where they must be", async () => {
    open();
    fireEvent.click(await screen.findByTitle("Insert platform (Nullable(String))"));
    fireEvent.click(screen.getByTitle(/^Insert from/));
    expect(editor().state.doc.toString()).toBe("platform`from`");
  });

  test("begins with examples of what is there", async () => {
    server.answer = async (query) => new Response(query.includes("uniqExact") ? SAMPLED : THREE_ROWS);
    open();
    fireEvent.click(await screen.findByRole("button", { name: /donations by platform/ }));
    await screen.findByRole("grid");
    expect(queries.at(-1)).toContain("GROUP BY platform");
    expect(editor().state.doc.toString()).toBe(queries.at(-1));
  });

  test("has nothing that axe objects to", async () => {
    const { container } = open("SELECT 1");
    await screen.findByRole("grid");
    const { violations } = await axe.run(container, { rules: { "color-contrast": { enabled: false } } });
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
  });

  test("says how to begin where there is no collection", async () => {
    server.collections = [];
    open();
    expect(await screen.findByText("There is no collection yet")).toBeTruthy();
  });

  test("the grid is worked by keys, and opens long values", async () => {
    open("SELECT 1");
    const grid = await screen.findByRole("grid");
    const active = () => document.getElementById(grid.getAttribute("aria-activedescendant") ?? "");
    fireEvent.keyDown(grid, { key: "ArrowDown" });
    await waitFor(() => expect(active()?.textContent).toBe("a"));
    fireEvent.keyDown(grid, { key: "End", ctrlKey: true });
    await waitFor(() => expect(active()?.textContent).toBe("0.1"));
    fireEvent.keyDown(grid, { key: "Enter" });
    await waitFor(() => expect(active()?.getAttribute("aria-expanded")).toBe("true"));
  });

  test("has only the rows in sight, however many there are", async () => {
    const rows = Array.from({ length: 50_000 }, (_, index) => `[${index}]`);
    server.answer = async () =>
      new Response(`{"columns": [{"name": "n", "type": "UInt64"}], "rows": [${rows}], "statistics": {}}`);
    open("SELECT number");
    const grid = await screen.findByRole("grid");
    expect(grid.getAttribute("aria-rowcount")).toBe("50001");
    expect(cells().length).toBeGreaterThan(10);
    expect(cells().length).toBeLessThan(100);
    fireEvent.keyDown(grid, { key: "End", ctrlKey: true });
    await waitFor(() => expect(grid.getAttribute("aria-activedescendant")).toBe("cell-49999-0"));
  });
});
