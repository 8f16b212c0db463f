/** Everything a page watches, folded from one stream and shown at most ten times a second. */

import { type ApiError, asApiError } from "../api/client";
import { addressOf, getSearch } from "../api/routes";
import type { Phase } from "../api/types";
import { Connection, type ConnectionState } from "./connection";
import type { LiveEvent, Stale } from "./events";
import { LatestFold, type LatestQuery, type LatestRow } from "./latest";
import { MetricFold, type MetricState } from "./metric";
import { Painter } from "./painter";

export interface Topics {
  metrics: readonly string[];
  latest: readonly LatestQuery[];
}

/** How old at most is what is seen of a collection, as told at `heardAt` (in the clock of `performance.now()`). */
export interface Freshly {
  phase: Phase;
  ageMs: number;
  caughtUp: boolean;
  heardAt: number;
}

/** One moment of everything watched. What did not change is the same object as before. */
export interface View {
  connection: ConnectionState;
  metrics: ReadonlyMap<string, MetricState>;
  /** Rows by their query's key; missing until the search answered or something arrived. */
  latest: ReadonlyMap<string, readonly LatestRow[]>;
  /** Why older documents could not be read, by their query's key. */
  latestErrors: ReadonlyMap<string, ApiError>;
  /** By collection. */
  fresh: ReadonlyMap<string, Freshly>;
  /** Why nothing can be heard of a metric (`donations.by_platform`) or a collection (`donations`). */
  stale: ReadonlyMap<string, Stale["error"]>;
}

export const latestKey = ({ collection, by, size }: LatestQuery) => `${collection} ${by ?? ""} ${size}`;

export class Live {
  private readonly metrics: Map<string, MetricFold>;
  private readonly latest: Map<string, LatestFold>;
  private readonly dirty = new Set<string>();
  private readonly aborter = new AbortController();
  private readonly painter: Painter;
  private readonly connection: Connection;
  private connectionState: ConnectionState = { phase: "connecting", since: performance.now() };
  private metricStates = new Map<string, MetricState>();
  private latestRows = new Map<string, readonly LatestRow[]>();
  private latestErrors = new Map<string, ApiError>();
  private fresh = new Map<string, Freshly>();
  private stale = new Map<string, Stale["error"]>();

  /** @param show Gets each moment. */
  constructor(topics: Topics, show: (view: View) => void) {
    this.metrics = new Map(topics.metrics.map((name) => [name, new MetricFold()]));
    this.latest = new Map(topics.latest.map((query) => [latestKey(query), new LatestFold(query)]));
    this.painter = new Painter(() => show(this.view()));
    const collections = new Set(topics.latest.map(({ collection }) => collection));
    this.connection = new Connection(addressOf.live([...this.metrics.keys()], [...collections]), {
      opened: () => this.begin(),
      heard: (event) => this.hear(event),
      changed: (state) => {
        this.connectionState = state;
        this.painter.ask();
      },
    });
  }

  close(): void {
    this.aborter.abort();
    this.connection.close();
    this.painter.close();
  }

  private hear(event: LiveEvent): void {
    switch (event.type) {
      case "snapshot":
        this.stale.delete(event.data.metric);
        this.metrics.get(event.data.metric)?.begin(event.data);
        this.dirty.add(event.data.metric);
        break;
      case "change":
        this.metrics.get(event.data.metric)?.hear(event.data);
        this.dirty.add(event.data.metric);
        break;
      case "document":
        for (const [key, fold] of this.latestOf(event.data.collection)) {
          fold.hear(event.data);
          this.dirty.add(key);
          if (fold.short) void this.search(key, fold);
        }
        break;
      case "lagged":
        this.stale.delete(event.data.collection);
        for (const [key, fold] of this.latestOf(event.data.collection)) void this.search(key, fold);
        break;
      case "stale":
        this.stale.set(event.data.metric ?? event.data.collection ?? "", event.data.error);
        break;
      case "fresh":
        this.fresh.set(event.data.collection, {
          phase: event.data.phase,
          ageMs: Number(event.data.age_ms),
          caughtUp: event.data.caught_up,
          heardAt: performance.now(),
        });
        break;
    }
    this.painter.ask();
  }

  private latestOf(collection: string): [string, LatestFold][] {
    return [...this.latest].filter(([, fold]) => fold.query.collection === collection);
  }

  private begin(): void {
    this.stale.clear();
    for (const [key, fold] of this.latest) void this.search(key, fold);
  }

  /** Read the newest documents; those heard meanwhile win over what the search found. */
  private async search(key: string, fold: LatestFold): Promise<void> {
    const { collection, by } = fold.query;
    const search = fold.ask();
    try {
      const parameters = { sort: by === null ? undefined : `-${by}`, size: fold.room };
      const { hits } = await getSearch(collection, parameters, { signal: this.aborter.signal });
      fold.begin(search, hits);
      this.latestErrors.delete(key);
    } catch (thrown) {
      if (this.aborter.signal.aborted) return;
      fold.giveUp(search);
      this.latestErrors.set(key, asApiError(thrown));
    }
    this.dirty.add(key);
    this.painter.ask();
  }

  private view(): View {
    for (const name of this.dirty) {
      const metric = this.metrics.get(name);
      if (metric) this.metricStates.set(name, metric.state());
      const latest = this.latest.get(name);
      if (latest) this.latestRows.set(name, latest.state());
    }
    this.dirty.clear();
    return {
      connection: this.connectionState,
      metrics: new Map(this.metricStates),
      latest: new Map(this.latestRows),
      latestErrors: new Map(this.latestErrors),
      fresh: new Map(this.fresh),
      stale: new Map(this.stale),
    };
  }
}
