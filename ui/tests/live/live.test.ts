import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { writeJson } from "../../src/api/json";
import { freshness, isStale } from "../../src/live/freshness";
import { Live, type View } from "../../src/live/live";
import { FakeEventSource, serve } from "../fakeServer";

const SNAPSHOT =
  '{"metric":"d.by","groups":[{"group":{"p":"Phone"},"values":{"n":1}},{"group":{"p":"Web"},"values":{"n":2}}],"total":{"n":3}}';
const LATEST = { collection: "d", by: "at", size: 2 };
const SEARCH =
  '{"total":1,"took_ms":1,"facets":{},"hits":[{"id":"a","score":null,"document":{"at":"2026-01-01T00:00:01Z"}}]}';

let live: Live;
let views: View[];

function watch(latest = [] as (typeof LATEST)[]) {
  views = [];
  live = new Live({ metrics: ["d.by"], latest }, (view) => views.push(view));
  return FakeEventSource.newest;
}

const shown = () => views.at(-1) as View;
const groups = () => writeJson(shown().metrics.get("d.by"));
const change = (platform: string, values: string) =>
  `{"metric":"d.by","group":{"p":"${platform}"},"values":${values},"total":{"n":9},"exact":true}`;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => live.close());

describe("folding", () => {
  it("asks for metrics, collections and freshness in one stream", () => {
    serve({});
    expect(watch([LATEST]).url).toBe("/api/v1/live?metrics=d.by&collections=d&fresh=true");
  });

  it("folds changes into the snapshot, and takes away groups that are gone", async () => {
    serve({});
    const stream = watch();
    stream.accept();
    stream.say("snapshot", SNAPSHOT);
    stream.say("change", change("Phone", '{"n":12345678901234567890.12}'));
    stream.say("change", change("Web", "null"));
    stream.say("change", change("Shop", '{"n":1}'));
    await vi.advanceTimersByTimeAsync(100);
    expect(groups()).toBe(
      '{"groups":[{"group":{"p":"Phone"},"values":{"n":12345678901234567890.12},"exact":true},' +
        '{"group":{"p":"Shop"},"values":{"n":1},"exact":true}],"total":{"n":9}}',
    );
  });

  it("starts over from a new snapshot", async () => {
    serve({});
    const stream = watch();
    stream.say("snapshot", SNAPSHOT);
    stream.say("change", change("Shop", '{"n":1}'));
    stream.say("snapshot", SNAPSHOT);
    await vi.advanceTimersByTimeAsync(100);
    expect(
      shown()
        .metrics.get("d.by")
        ?.groups.map(({ group }) => group.p),
    ).toEqual(["Phone", "Web"]);
  });

  it("keeps the very object of a metric that did not change", async () => {
    serve({});
    const stream = watch();
    stream.say("snapshot", SNAPSHOT);
    await vi.advanceTimersByTimeAsync(200);
    const before = shown().metrics.get("d.by");
    stream.say("fresh", '{"collection":"d","phase":"streaming","age_ms":5,"caught_up":true}');
    await vi.advanceTimersByTimeAsync(200);
    expect(shown().fresh.get("d")?.ageMs).toBe(5);
    expect(shown().metrics.get("d.by")).toBe(before);
  });
});

describe("painting", () => {
  it("paints at most ten times a second at a thousand changes a second, and the last one is shown", async () => {
    serve({});
    const stream = watch();
    stream.say("snapshot", SNAPSHOT);
    await vi.advanceTimersByTimeAsync(1000);
    views = [];
    for (let n = 1; n <= 1000; n++) {
      stream.say("change", change("Phone", `{"n":${n}}`));
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(views.length).toBeGreaterThanOrEqual(8);
    expect(views.length).toBeLessThanOrEqual(10);
    await vi.advanceTimersByTimeAsync(200);
    expect(shown().metrics.get("d.by")?.groups[0]?.values.n).toBe(1000);
  });

  it("shows nothing after it was closed", async () => {
    serve({});
    const stream = watch();
    stream.say("snapshot", SNAPSHOT);
    live.close();
    await vi.advanceTimersByTimeAsync(1000);
    expect(views).toEqual([]);
  });
});

describe("losing the connection", () => {
  it("keeps the old figures, is amber, then red, and recovers with the next stream", async () => {
    serve({});
    const stream = watch();
    stream.accept();
    stream.say("snapshot", SNAPSHOT);
    stream.say("fresh", '{"collection":"d","phase":"streaming","age_ms":120,"caught_up":true}');
    await vi.advanceTimersByTimeAsync(200);
    expect(freshness(shown(), "d.by", performance.now())).toEqual({ level: "live", text: "320 ms ago" });

    stream.breakOff();
    await vi.advanceTimersByTimeAsync(200);
    const late = freshness(shown(), "d.by", performance.now());
    expect(late).toEqual({ level: "late", text: "Reconnecting" });
    expect(isStale(shown(), late)).toBe(true);
    expect(shown().metrics.get("d.by")?.total).toEqual({ n: 3 });

    await vi.advanceTimersByTimeAsync(6000);
    expect(freshness(shown(), "d.by", performance.now()).text).toBe("Disconnected for 6 s");

    stream.accept();
    stream.say("fresh", '{"collection":"d","phase":"streaming","age_ms":1,"caught_up":true}');
    await vi.advanceTimersByTimeAsync(100);
    expect(freshness(shown(), "d.by", performance.now()).level).toBe("live");
  });

  it("finds out why a server refuses, and comes back where a browser would not", async () => {
    serve({});
    watch().refuse();
    await vi.advanceTimersByTimeAsync(100);
    expect(shown().connection.error?.message).toBe("Not there.");
    expect(freshness(shown(), "d.by", performance.now() + 6000).detail).toBe("Not there. Look elsewhere.");
    await vi.advanceTimersByTimeAsync(2000);
    expect(FakeEventSource.streams).toHaveLength(2);
    FakeEventSource.newest.accept();
    await vi.advanceTimersByTimeAsync(100);
    expect(shown().connection.phase).toBe("open");
    expect(shown().connection.error).toBeUndefined();
  });

  it("opens a new stream when the old one falls silent", async () => {
    serve({});
    const stream = watch();
    stream.accept();
    await vi.advanceTimersByTimeAsync(9_900);
    expect(FakeEventSource.streams).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(FakeEventSource.streams).toHaveLength(2);
    expect(stream.readyState).toBe(FakeEventSource.CLOSED);
  });

  it("says why the target cannot be heard, until a snapshot ends that", async () => {
    serve({});
    const stream = watch();
    stream.accept();
    stream.say("stale", '{"metric":"d.by","error":{"code":"target","message":"Valkey is away.","hint":"Start it."}}');
    await vi.advanceTimersByTimeAsync(100);
    expect(freshness(shown(), "d.by", 0)).toEqual({ level: "bad", text: "Valkey is away.", detail: "Start it." });
    stream.say("snapshot", SNAPSHOT);
    await vi.advanceTimersByTimeAsync(100);
    expect(shown().stale.size).toBe(0);
  });
});

describe("the latest documents", () => {
  const rows = () =>
    shown()
      .latest.get("d at 2")
      ?.map(({ id }) => id);
  const document = (id: string, second: number) =>
    `{"collection":"d","id":"${id}","document":{"at":"2026-01-01T00:00:0${second}Z"}}`;

  it("begin with a search and go on with arrivals, newest first", async () => {
    serve({ "/api/v1/collections/d/search": SEARCH });
    const stream = watch([LATEST]);
    stream.accept();
    await vi.advanceTimersByTimeAsync(100);
    expect(rows()).toEqual(["a"]);
    stream.say("document", document("b", 3));
    stream.say("document", document("c", 2));
    await vi.advanceTimersByTimeAsync(100);
    expect(rows()).toEqual(["b", "c"]);
    stream.say("document", '{"collection":"d","id":"b","document":null}');
    await vi.advanceTimersByTimeAsync(100);
    expect(rows()).toEqual(["c", "a"]);
  });

  it("believe what was heard during the search more than what the search found", async () => {
    serve({ "/api/v1/collections/d/search": SEARCH });
    const stream = watch([LATEST]);
    stream.accept();
    stream.say("document", '{"collection":"d","id":"a","document":null}');
    stream.say("document", document("b", 3));
    await vi.advanceTimersByTimeAsync(200);
    expect(rows()).toEqual(["b"]);
  });

  it("are read again after documents were missed", async () => {
    const fetched = serve({ "/api/v1/collections/d/search": SEARCH });
    const stream = watch([LATEST]);
    stream.accept();
    await vi.advanceTimersByTimeAsync(100);
    stream.say("lagged", '{"collection":"d","missed":null}');
    await vi.advanceTimersByTimeAsync(100);
    expect(fetched.mock.calls.map(([url]) => url)).toEqual(
      new Array(2).fill("/api/v1/collections/d/search?sort=-at&size=22"),
    );
  });

  it("go on without those that could not be read, and say why", async () => {
    serve({});
    const stream = watch([LATEST]);
    stream.accept();
    await vi.advanceTimersByTimeAsync(100);
    stream.say("document", document("b", 3));
    await vi.advanceTimersByTimeAsync(100);
    expect(rows()).toEqual(["b"]);
    expect(shown().latestErrors.get("d at 2")?.message).toBe("Not there.");
  });
});
