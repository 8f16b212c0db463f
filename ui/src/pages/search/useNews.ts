import { useEffect, useState } from "preact/hooks";
import { addressOf } from "../../api/routes";
import type { Freshness } from "../../components/Fresh";
import { Connection } from "../../live/connection";
import type { LiveEvent } from "../../live/events";
import { freshness, type Heard } from "../../live/freshness";
import { Painter } from "../../live/painter";
import { useClock } from "../../live/useClock";

export interface News {
  /** Undefined where no target tells what changes. */
  readonly fresh: Freshness | undefined;
  /** How many changes were heard so far. */
  readonly changes: number;
}

interface Told extends Heard {
  readonly changes: number;
}

/** Hear how fresh a collection is, and that it changes. */
export function useNews(collection: string): News {
  const [told, setTold] = useState<Told>();
  const now = useClock();

  useEffect(() => {
    const ear = new Ear(collection, setTold);
    return () => ear.close();
  }, [collection]);

  const isUntold = told?.connection.error?.status === 404;
  return {
    fresh: isUntold ? undefined : freshness(told, collection, now),
    changes: told?.changes ?? 0,
  };
}

/** Listens to one collection without keeping its documents. */
class Ear {
  private readonly painter: Painter;
  private readonly connection: Connection;
  private told: Told = {
    connection: { phase: "connecting", since: performance.now() },
    fresh: new Map(),
    stale: new Map(),
    changes: 0,
  };

  constructor(collection: string, show: (told: Told) => void) {
    this.painter = new Painter(() => show(this.told));
    this.connection = new Connection(addressOf.live([], [collection]), {
      opened: () => this.change({ stale: new Map() }),
      heard: (event) => this.change(this.after(event)),
      changed: (connection) => this.change({ connection }),
    });
  }

  close(): void {
    this.connection.close();
    this.painter.close();
  }

  private after(event: LiveEvent): Partial<Told> {
    switch (event.type) {
      case "document":
        return { changes: this.told.changes + 1 };
      case "lagged":
        return { changes: this.told.changes + Number(event.data.missed ?? 1), stale: new Map() };
      case "stale":
        return { stale: new Map([[event.data.collection ?? "", event.data.error]]) };
      case "fresh": {
        const { collection, phase, age_ms, caught_up } = event.data;
        const heardAt = performance.now();
        return { fresh: new Map([[collection, { phase, ageMs: Number(age_ms), caughtUp: caught_up, heardAt }]]) };
      }
      default:
        return {};
    }
  }

  private change(change: Partial<Told>): void {
    this.told = { ...this.told, ...change };
    this.painter.ask();
  }
}
