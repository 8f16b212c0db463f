import { useEffect, useMemo, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import type { Dashboard, DashboardPanel } from "../../api/types";
import { LinkButton } from "../../components/Button";
import { Fresh, type Freshness } from "../../components/Fresh";
import { WallIcon } from "../../components/icons";
import { Segmented } from "../../components/Segmented";
import { Empty, Notice } from "../../components/State";
import { isTyping } from "../../components/shortcuts";
import { freshness } from "../../live/freshness";
import type { Topics } from "../../live/live";
import { useClock } from "../../live/useClock";
import { useLive } from "../../live/useLive";
import { BarsPanel } from "./BarsPanel";
import styles from "./Board.module.css";
import { LatestPanel, latestQuery } from "./LatestPanel";
import { LinePanel } from "./LinePanel";
import { NumberPanel } from "./NumberPanel";
import type { Watching } from "./PanelFrame";
import { chosenRange, rangesFor } from "./range";

/** More panels than this are smaller on a wall. */
const MOST_LARGE = 5;

/** A dashboard's panels over one live stream. */
export function Board({ dashboard, wall }: { dashboard: Dashboard; wall: boolean }) {
  // The same panels, read again, are watched by the same stream.
  const topics = useMemo(() => topicsOf(dashboard.panels), [JSON.stringify(dashboard.panels)]);
  const view = useLive(topics);
  const [tables, showAsTable] = useTables(dashboard.panels.length);
  const now = useClock();
  useWall(wall, dashboard.panels.length);
  const { path, query, route } = useLocation();
  const every = dashboard.panels.flatMap((panel) => (panel.show === "line" ? [panel.every_seconds * 1000] : []));
  const ranges = rangesFor(every);
  const range = chosenRange(ranges, query.range, Math.min(...every));

  if (dashboard.panels.length === 0) {
    return <Empty title="This dashboard has no panels">Add some to its `panels` in dynalens.yaml.</Empty>;
  }
  const shared = sharedFreshness(dashboard.panels.map((panel) => freshness(view, subjectOf(panel), now)));
  const panels = dashboard.panels.map((panel, index) => (
    <AnyPanel
      key={`${index} ${panel.title}`}
      {...{ panel, view, now, wall, rangeMs: range.ms }}
      brief={shared !== undefined}
      name={String(index)}
      inTable={tables[index] ?? false}
      onTable={(inTable) => showAsTable(index, inTable)}
    />
  ));
  if (wall) {
    const isNumber = (_: unknown, index: number) => dashboard.panels[index]?.show === "number";
    return (
      <div class={styles.wall}>
        <header class={styles.wallTitle}>
          <h1>{dashboard.title}</h1>
          <a class={styles.leave} href={path}>
            Leave the wall view
          </a>
          {shared && <Fresh {...shared} />}
        </header>
        <Reason fresh={shared} />
        <div class={styles.wallNumbers}>{panels.filter(isNumber)}</div>
        <div class={styles.wallPanels}>{panels.filter((panel, index) => !isNumber(panel, index))}</div>
      </div>
    );
  }
  return (
    <>
      <header class={styles.header}>
        <h1>{dashboard.title}</h1>
        {shared && <Fresh {...shared} />}
        <p class="unseen" role="status">
          {view?.connection.phase === "reconnecting" ? "The connection was lost. Figures may be out of date." : ""}
        </p>
        {ranges.length > 1 && (
          <Segmented
            label="How far back lines reach"
            value={range.value}
            options={ranges}
            onChange={(value) => route(`${path}?range=${value}`, true)}
          />
        )}
        <LinkButton href={`${path}?wall`} look="quiet" title="For a screen on the wall" class={styles.toWall}>
          <WallIcon />
          Wall
        </LinkButton>
      </header>
      <Reason fresh={shared} />
      <div class={styles.panels}>{panels}</div>
    </>
  );
}

/** Why nothing on the page is up to date, where the words beside the dot leave that open. */
function Reason({ fresh }: { fresh: Freshness | undefined }) {
  if (fresh?.level !== "bad" || !fresh.detail) return null;
  return (
    <div class={styles.reason}>
      <Notice look="bad">{fresh.detail}</Notice>
    </div>
  );
}

function AnyPanel({ panel, rangeMs, ...watching }: Watching & { panel: DashboardPanel; rangeMs: number }) {
  switch (panel.show) {
    case "number":
      return <NumberPanel panel={panel} {...watching} />;
    case "bars":
      return <BarsPanel panel={panel} {...watching} />;
    case "line":
      return <LinePanel panel={panel} rangeMs={rangeMs} {...watching} />;
    case "latest":
      return <LatestPanel panel={panel} {...watching} />;
  }
}

const subjectOf = (panel: DashboardPanel): string => (panel.show === "latest" ? panel.collection : panel.metric);

/** What is to be said once, where all panels would say the same. */
function sharedFreshness([first, ...others]: readonly Freshness[]): Freshness | undefined {
  return others.every(({ level, text }) => level === first?.level && text === first.text) ? first : undefined;
}

function topicsOf(panels: readonly DashboardPanel[]): Topics {
  return {
    metrics: [...new Set(panels.flatMap((panel) => (panel.show === "latest" ? [] : [panel.metric])))],
    latest: panels.flatMap((panel) => (panel.show === "latest" ? [latestQuery(panel)] : [])),
  };
}

/** Everything grows for a wall: more where there are few panels. */
function useWall(wall: boolean, panels: number): void {
  useEffect(() => {
    if (!wall) return;
    const { dataset } = document.documentElement;
    dataset.wall = panels > MOST_LARGE ? "dense" : "large";
    return () => {
      delete dataset.wall;
    };
  }, [wall, panels]);
}

/** Which panels are shown as tables. The key `t` turns the panel that has the focus, or all of them. */
function useTables(count: number): [readonly boolean[], (index: number, inTable: boolean) => void] {
  const [tables, setTables] = useState<readonly boolean[]>(() => new Array(count).fill(false));
  useEffect(() => {
    const turn = (event: KeyboardEvent) => {
      if (event.key !== "t" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
      const focused = document.activeElement?.closest<HTMLElement>("[data-panel]")?.dataset.panel;
      setTables((before) =>
        focused === undefined ? before.map(() => !before.every(Boolean)) : turned(before, Number(focused)),
      );
    };
    addEventListener("keydown", turn);
    return () => removeEventListener("keydown", turn);
  }, []);
  return [tables, (index, inTable) => setTables((before) => before.with(index, inTable))];
}

const turned = (tables: readonly boolean[], index: number) => tables.with(index, !tables[index]);
