import { fireEvent, render, screen, waitFor, within } from "@testing-library/preact";
import axe from "axe-core";
import { LocationProvider } from "preact-iso";
import { beforeEach, describe, expect, test, vi } from "vitest";
import SearchPage from "../../src/pages/search";
import { FakeEventSource } from "../fakeServer";

const BOOTS = { sku: "SKU-1", title: "Red boots", price: "PRICE", tags: ["new", "winter"], kind: "shoes" };

/** What the fake server answers; `hits` are JSON texts, so that their numbers have every digit. */
interface Server {
  collections: string[];
  total: number;
  hits: string[];
  error?: { status: number; code: string; message: string; hint: string };
}

let server: Server;
let asked: URL[];

beforeEach(() => {
  const document = JSON.stringify(BOOTS).replace('"PRICE"', "12345678901234567890.50");
  const highlight = '{"title": ["Red <em>boots</em>"], "tags": ["<em>winter</em>"]}';
  server = {
    collections: ["products", "users"],
    total: 41,
    hits: [1, 2].map(
      (number) => `{"id": "SKU-${number}", "score": 1, "document": ${document}, "highlight": ${highlight}}`,
    ),
  };
  asked = [];
  vi.stubGlobal("fetch", answer);
  FakeEventSource.streams = [];
  vi.stubGlobal("EventSource", FakeEventSource);
});

async function answer(url: string): Promise<Response> {
  const address = new URL(url, "http://localhost");
  if (address.pathname === "/api/v1/collections") {
    const collections = server.collections.map((name) => ({ name, table: name, metrics: [] }));
    return new Response(JSON.stringify({ collections }));
  }
  asked.push(address);
  if (server.error !== undefined && address.searchParams.has("q")) {
    const { status, ...error } = server.error;
    return new Response(JSON.stringify({ error }), { status });
  }
  const kinds = '[{"value": "shoes", "count": 30}, {"value": "hats", "count": 11}]';
  return new Response(
    `{"total": ${server.total}, "took_ms": 3, "hits": [${server.hits}], "facets": {"kind": ${kinds}}}`,
  );
}

function open(path: string) {
  history.replaceState(null, "", path);
  return render(
    <LocationProvider>
      <SearchPage />
    </LocationProvider>,
  );
}

const box = () => screen.findByRole<HTMLInputElement>("searchbox");
const searches = () => asked.filter(({ searchParams }) => searchParams.has("highlight"));

/** Type, and wait until the address says it. */
async function type(text: string) {
  const field = await box();
  field.focus();
  fireEvent.input(field, { target: { value: text } });
  await waitFor(() => expect(new URLSearchParams(location.search).get("q") ?? "").toBe(text));
}

describe("the search page", () => {
  test("shows hits with highlights, facets and exact numbers", async () => {
    open("/search/products?q=boots");
    const [first] = await screen.findAllByRole("button", { name: /Red boots/ });
    expect(first?.querySelector("mark")?.textContent).toBe("boots");
    expect(screen.getAllByText("winter", { selector: "mark" })).toHaveLength(2);
    expect(screen.getAllByText("12345678901234567890.50")).toHaveLength(2);
    expect(screen.getByText("41")).toBeTruthy();
    expect(await screen.findByRole("button", { name: "hats11" })).toBeTruthy();
  });

  test("shows fields whose names every object inherits, and texts that run the other way", async () => {
    server.hits = ['{"id": "1", "score": 1, "document": {"constructor": "mine", "toString": "too"}, "highlight": {}}'];
    open("/search/products?q=x");
    expect((await screen.findByText("mine")).className).toContain("value");
    screen.getByText("too");
  });

  test("shows the beginning of a text that is too long to read", async () => {
    server.hits = [`{"id": "1", "score": 1, "document": {"note": "${"x".repeat(400_000)}"}}`];
    open("/search/products?q=x");
    expect((await screen.findByText(/^x+…$/)).textContent).toHaveLength(301);
  });

  test("opens the first collection where the address names none", async () => {
    open("/search");
    await waitFor(() => expect(location.pathname).toBe("/search/products"));
  });

  test("asks while one types, and a bout of typing is one entry of the history", async () => {
    open("/search/products");
    const entries = history.length;
    await type("bo");
    await type("boots");
    expect(history.length).toBe(entries + 1);
    await waitFor(() => expect(searches().at(-1)?.searchParams.get("q")).toBe("boots"));
  });

  test("cancels what is not wanted any more", async () => {
    const signals: AbortSignal[] = [];
    open("/search/products");
    await screen.findAllByRole("button", { name: /Red boots/ });
    vi.stubGlobal("fetch", (_: string, { signal }: { signal: AbortSignal }) => {
      signals.push(signal);
      return new Promise(() => {});
    });
    await type("bo");
    await waitFor(() => expect(signals).toHaveLength(1));
    await type("boots");
    await waitFor(() => expect(signals).toHaveLength(2));
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(screen.getAllByRole("button", { name: /Red boots/ })).toHaveLength(2);
  });

  test("follows the address back", async () => {
    open("/search/products?q=old");
    await type("new");
    history.back();
    await waitFor(async () => expect((await box()).value).toBe("old"));
  });

  test("a facet's value becomes a chip, and its own facet is counted without it", async () => {
    open("/search/products");
    fireEvent.click(await screen.findByRole("button", { name: "hats11" }));
    const chip = await screen.findByRole("button", { name: "Remove the filter kind:hats" });
    expect(location.search).toBe("?filter=kind%3Ahats");
    await waitFor(() => expect(searches().at(-1)?.searchParams.getAll("filter")).toEqual(["kind:hats"]));
    const counted = asked.at(-1)?.searchParams;
    expect([counted?.get("size"), counted?.get("facet"), counted?.getAll("filter")]).toEqual(["0", "kind:8", []]);
    expect(screen.getByRole("button", { name: "hats11" }).getAttribute("aria-pressed")).toBe("true");
    fireEvent.click(chip);
    await waitFor(() => expect(location.search).toBe(""));
  });

  test("is worked by keys alone", async () => {
    open("/search/products?q=boots");
    const hits = await screen.findAllByRole("button", { name: /Red boots/ });
    fireEvent.keyDown(document.body, { key: "/" });
    expect(document.activeElement).toBe(await box());
    fireEvent.keyDown(await box(), { key: "ArrowDown" });
    expect(document.activeElement).toBe(hits[0]);
    fireEvent.keyDown(hits[0] as Element, { key: "ArrowDown" });
    expect(document.activeElement).toBe(hits[1]);
    fireEvent.keyDown(hits[1] as Element, { key: "Home" });
    fireEvent.keyDown(hits[0] as Element, { key: "ArrowUp" });
    expect(document.activeElement).toBe(await box());
    fireEvent.keyDown(await box(), { key: "Escape" });
    await waitFor(() => expect(location.search).toBe(""));
  });

  test("an opened hit has its whole JSON, and its values can be asked for", async () => {
    open("/search/products?q=boots");
    const [hit] = await screen.findAllByRole("button", { name: /Red boots/ });
    fireEvent.click(hit as Element);
    expect(hit?.getAttribute("aria-expanded")).toBe("true");
    expect(document.querySelector("pre")?.textContent).toContain('"price": 12345678901234567890.50');
    expect(screen.getByRole("link", { name: "Open as JSON" }).getAttribute("href")).toBe(
      "/api/v1/collections/products/documents/SKU-1",
    );
    fireEvent.click(screen.getByRole("button", { name: "Only kind: shoes" }));
    await waitFor(() => expect(new URLSearchParams(location.search).getAll("filter")).toEqual(["kind:shoes"]));
  });

  test("shows more when asked", async () => {
    open("/search/products");
    fireEvent.click(await screen.findByRole("button", { name: "More" }));
    await waitFor(() => expect(location.search).toBe("?size=50"));
    await waitFor(() => expect(searches().at(-1)?.searchParams.get("size")).toBe("50"));
  });

  test("has nothing that axe objects to", async () => {
    const { container } = open("/search/products?q=boots&filter=kind%3Ahats");
    const [hit] = await screen.findAllByRole("button", { name: /Red boots/ });
    fireEvent.click(hit as Element);
    const { violations } = await axe.run(container, { rules: { "color-contrast": { enabled: false } } });
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
  });

  test("says how to go on where nothing matches", async () => {
    server = { ...server, total: 0, hits: [] };
    open("/search/products?q=nothing&filter=kind%3Ahats");
    expect(await screen.findByText("Nothing in products matches")).toBeTruthy();
    fireEvent.click(screen.getByRole("button", { name: "Show all documents" }));
    await waitFor(() => expect(location.search).toBe(""));
    expect(await screen.findByText("products has no documents yet")).toBeTruthy();
  });

  test("says how to begin where there is no collection", async () => {
    server = { ...server, collections: [] };
    open("/search");
    expect(await screen.findByText("There is no collection yet")).toBeTruthy();
  });

  test("an error keeps the hits and says what to do", async () => {
    open("/search/products");
    await screen.findAllByRole("button", { name: /Red boots/ });
    server = { ...server, error: { status: 503, code: "busy", message: "Too much at once.", hint: "Try again soon." } };
    await type("boots");
    const alert = await screen.findByRole("alert");
    expect(alert.textContent).toContain("Too much at once.");
    expect(alert.textContent).toContain("Try again soon.");
    expect(screen.getAllByRole("button", { name: /Red boots/ })).toHaveLength(2);
    server = { ...server, error: undefined as never };
    fireEvent.click(within(alert).getByRole("button", { name: "Try again" }));
    await waitFor(() => expect(screen.queryByRole("alert")).toBeNull());
  });

  test("tells of changes, and shows them when asked", async () => {
    open("/search/products");
    await screen.findByRole("button", { name: "hats11" });
    const { newest } = FakeEventSource;
    newest.accept();
    newest.say("fresh", '{"collection": "products", "phase": "streaming", "age_ms": 120, "caught_up": true}');
    expect(await screen.findByText(/ago$/)).toBeTruthy();
    newest.say("document", '{"collection": "products", "id": "SKU-9", "document": null}');
    const before = searches().length;
    fireEvent.click(await screen.findByRole("button", { name: /1 change since/ }));
    await waitFor(() => expect(screen.queryByRole("button", { name: /change since/ })).toBeNull());
    expect(searches().length).toBe(before + 1);
  });
});
