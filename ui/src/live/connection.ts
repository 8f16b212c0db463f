/**
 * One stream of live events that comes back by itself.
 *
 * The browser reconnects after a broken stream, but gives up for good where the server answers with an error, and does
 * not notice a stream that went silent (a laptop that slept). This closes both holes and finds out why.
 */

import { ApiError, asApiError, request } from "../api/client";
import { parseJson } from "../api/json";
import { EVENT_TYPES, type LiveEvent, liveEvent } from "./events";

/** `connecting` until the first event of the first stream; later losses are `reconnecting`. */
export interface ConnectionState {
  phase: "connecting" | "open" | "reconnecting";
  /** When this phase began, in the clock of `performance.now()`. */
  since: number;
  /** Why the server refuses, where it said so. */
  error?: ApiError;
}

export interface Listener {
  /** A stream opened: what was missed before it is not repeated. */
  opened: () => void;
  heard: (event: LiveEvent) => void;
  changed: (state: ConnectionState) => void;
}

/** Freshness is told twice a second, so this long without a word means that nobody is there. */
const SILENCE_MS = 10_000;
const RETRY_MS = 2_000;

export class Connection {
  private source: EventSource | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private state: ConnectionState = { phase: "connecting", since: performance.now() };
  private readonly aborter = new AbortController();

  constructor(
    private readonly url: string,
    private readonly listener: Listener,
  ) {
    this.open();
  }

  close(): void {
    this.aborter.abort();
    this.hangUp();
  }

  private open(): void {
    const source = new EventSource(this.url);
    this.source = source;
    this.expectWord();
    source.addEventListener("open", () => {
      this.move("open");
      this.listener.opened();
    });
    source.addEventListener("error", () => this.lost(source));
    for (const type of EVENT_TYPES) {
      source.addEventListener(type, ({ data }: MessageEvent<string>) => {
        this.expectWord();
        this.listener.heard(liveEvent(type, parseJson(data)));
      });
    }
  }

  private lost(source: EventSource): void {
    this.move("reconnecting");
    if (source.readyState === EventSource.CLOSED) void this.askWhy();
  }

  /** The browser hides the answer that ended its stream, so ask for it once more. */
  private async askWhy(): Promise<void> {
    this.hangUp();
    const error = await refusal(this.url, this.aborter.signal);
    if (this.aborter.signal.aborted) return;
    if (error) this.move("reconnecting", error);
    this.retry = setTimeout(() => this.open(), RETRY_MS);
  }

  private expectWord(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.move("reconnecting");
      this.hangUp();
      this.open();
    }, SILENCE_MS);
  }

  private hangUp(): void {
    this.source?.close();
    clearTimeout(this.silence);
    clearTimeout(this.retry);
  }

  private move(phase: ConnectionState["phase"], error?: ApiError): void {
    const next = phase === "reconnecting" && this.state.phase === "connecting" ? "connecting" : phase;
    const since = next === this.state.phase ? this.state.since : performance.now();
    this.state = { phase: next, since, ...(error && { error }) };
    this.listener.changed(this.state);
  }
}

/** Why a stream is refused; undefined where it is not any more. */
async function refusal(url: string, signal: AbortSignal): Promise<ApiError | undefined> {
  const attempt = new AbortController();
  const patience = AbortSignal.timeout(SILENCE_MS);
  try {
    await request(url, { signal: AbortSignal.any([signal, attempt.signal, patience]) });
    attempt.abort(); // it streams again, and would without end
    return undefined;
  } catch (thrown) {
    return patience.aborted ? silent() : asApiError(thrown);
  }
}

function silent(): ApiError {
  return new ApiError("The server does not answer.", 0, "unreachable", "Is `dynalens up` still running?");
}
