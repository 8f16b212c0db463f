/** A server in this process: answers by address, and live streams whose events the test sends. */

import { vi } from "vitest";

/** Stands where the browser's EventSource does, and keeps every stream that was opened. */
export class FakeEventSource extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 2;
  static streams: FakeEventSource[] = [];

  readyState = FakeEventSource.CONNECTING;

  constructor(readonly url: string) {
    super();
    FakeEventSource.streams.push(this);
  }

  static get newest(): FakeEventSource {
    const newest = FakeEventSource.streams.at(-1);
    if (!newest) throw new Error("no stream was opened");
    return newest;
  }

  accept(): void {
    this.readyState = FakeEventSource.OPEN;
    this.dispatchEvent(new Event("open"));
  }

  /** @param data JSON as the server writes it, so that its digits are the test's. */
  say(type: string, data: string): void {
    this.dispatchEvent(new MessageEvent(type, { data }));
  }

  /** The connection broke, and the browser comes back by itself. */
  breakOff(): void {
    this.readyState = FakeEventSource.CONNECTING;
    this.dispatchEvent(new Event("error"));
  }

  /** The server answered with an error, after which a browser gives up. */
  refuse(): void {
    this.readyState = FakeEventSource.CLOSED;
    this.dispatchEvent(new Event("error"));
  }

  close(): void {
    this.readyState = FakeEventSource.CLOSED;
  }
}

/** Texts by address without its parameters; an address that is not among them is not found. */
export function serve(answers: Record<string, string>) {
  FakeEventSource.streams = [];
  vi.stubGlobal("EventSource", FakeEventSource);
  const fetched = vi.fn(async (url: string) => {
    const text = answers[url.split("?", 1)[0] ?? ""];
    return text === undefined
      ? new Response('{"error": {"code": "not_found", "message": "Not there.", "hint": "Look elsewhere."}}', {
          status: 404,
        })
      : new Response(text);
  });
  vi.stubGlobal("fetch", fetched);
  return fetched;
}
