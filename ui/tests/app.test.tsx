import { fireEvent, render, screen } from "@testing-library/preact";
import axe from "axe-core";
import { beforeEach, describe, expect, it } from "vitest";
import { App } from "../src/app";
import { serve } from "./fakeServer";

const ANSWERS = {
  "/api/v1/status":
    '{"version": "0", "started_at": 0, "now": 0, "collections": [], "positions": [], "dead_letters": 0}',
  "/api/v1/collections": '{"collections": [{"name": "donations", "table": "Donations", "metrics": []}]}',
  "/api/v1/dashboards": '{"dashboards": [{"name": "a night", "title": "The night"}]}',
  "/api/v1/dashboards/a%20night": '{"name": "a night", "title": "The night", "panels": []}',
};

function open(address: string) {
  serve(ANSWERS);
  history.replaceState(null, "", address);
  return render(<App />);
}

beforeEach(() => history.replaceState(null, "", "/"));

describe("the frame", () => {
  it("leads to every page and marks the current one", async () => {
    open("/");
    await screen.findByRole("heading", { name: "Overview" });
    const night = (await screen.findAllByRole("link", { name: "The night" }))[0] as HTMLElement;
    const links = screen.getByRole("navigation").querySelectorAll("a");
    expect([...links].map((link) => link.getAttribute("href"))).toEqual([
      "/",
      "/search/donations",
      "/sql",
      "/dashboards/a%20night",
    ]);
    expect(screen.getByRole("link", { current: "page" }).textContent).toBe("Overview");

    fireEvent.click(night);
    await screen.findByText("This dashboard has no panels");
    expect(location.pathname).toBe("/dashboards/a%20night");
    expect(screen.getByRole("link", { current: "page" }).textContent).toBe("The night");
  });

  it("lets keyboards skip the navigation", async () => {
    const { container } = open("/");
    const first = container.querySelector("a");
    expect(first?.textContent).toBe("Skip to the content");
    expect(container.querySelector(first?.getAttribute("href") ?? "")?.tagName).toBe("MAIN");
  });

  it("says that an address leads nowhere", async () => {
    open("/nowhere");
    await screen.findByText("There is no such page");
  });

  it("has nothing that axe objects to", async () => {
    const { container } = open("/");
    await screen.findByText("dynalens search donations 'a word'");
    // Colours need a browser; tokens.test.ts has them.
    const { violations } = await axe.run(container, { rules: { "color-contrast": { enabled: false } } });
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
  });
});
