import { useRef } from "preact/hooks";
import { toDouble } from "../../api/json";
import { addressOf } from "../../api/routes";
import type { BarsPanel as BarsSettings } from "../../api/types";
import { colorToken, giveColors, SLOTS } from "../../charts/colors";
import { useRoom } from "../../components/useRoom";
import { formatNumber, type NumberLook } from "../../format";
import { type Bar, bars, dimensionOf, isAverage } from "../../live/groups";
import styles from "./BarsPanel.module.css";
import { Flash } from "./Flash";
import { PanelFrame, type Watching } from "./PanelFrame";
import { type Sheet, textCell } from "./sheet";

/** More bars than this are in the table alone. */
const MOST_BARS = 10;
/** The least height of a row, as the style sheet has it, in rem. */
const ROW = 2.25;

/** One bar per group from zero, largest first, each with its exact value. */
export function BarsPanel({ panel, ...watching }: Watching & { panel: BarsSettings }) {
  const metric = watching.view?.metrics.get(panel.metric);
  const look = { unit: panel.unit, rounded: isAverage(panel.value) };
  const all = metric && bars(metric, panel.value);
  // Each bar has its name beside it: where there are more than colours, colour would only look as if it said something.
  const tellsApart = all !== undefined && all.length <= SLOTS;
  if (metric && tellsApart)
    giveColors(
      dimensionOf(metric),
      all.map(({ key }) => key),
    );
  const sheet = (all: readonly Bar[]): Sheet => ({
    columns: [
      { title: "Group", numeric: false },
      { title: panel.value, numeric: true },
    ],
    rows: all.map(({ key, label, value }) => ({
      key,
      cells: [textCell(label), { shown: formatNumber(value, look), exact: value.toString() }],
    })),
  });
  return (
    <PanelFrame
      {...watching}
      title={panel.title}
      subject={panel.metric}
      json={addressOf.metric(panel.metric)}
      sheet={all && (() => sheet(all))}
      empty={all?.length === 0}
      class={styles.panel}
      inexact={all?.some(({ exact }) => !exact)}
    >
      <Bars bars={all ?? []} look={look} wall={watching.wall} tokenOf={tellsApart ? colorToken : () => "--accent"} />
    </PanelFrame>
  );
}

interface BarsProps {
  bars: readonly Bar[];
  look: NumberLook;
  wall: boolean;
  /** The colour of a bar by its key. */
  tokenOf: (key: string) => string;
}

function Bars({ bars: all, look, wall, tokenOf }: BarsProps) {
  const list = useRef<HTMLUListElement>(null);
  const shown = all.slice(0, Math.min(MOST_BARS, useRoom(list, wall, ROW)));
  const doubles = shown.map(({ value }) => toDouble(value));
  const least = Math.min(0, ...doubles);
  const span = Math.max(0, ...doubles) - least || 1;
  return (
    <>
      <ul ref={list} class={styles.bars}>
        {shown.map(({ key, label, value }, index) => (
          <li key={key} class={styles.row}>
            <span class={styles.label} title={label}>
              {label}
            </span>
            <span class={styles.track} aria-hidden="true">
              <span class={styles.bar} style={place(doubles[index] ?? 0, least, span, tokenOf(key))} />
            </span>
            <Flash value={value.toString()} class={styles.value}>
              {formatNumber(value, look)}
            </Flash>
          </li>
        ))}
      </ul>
      {all.length > shown.length && <More count={all.length - shown.length} wall={wall} />}
    </>
  );
}

function More({ count, wall }: { count: number; wall: boolean }) {
  const where = wall ? "" : count === 1 ? " is in the table (t)" : " are in the table (t)";
  return <p class={styles.more}>{`${formatNumber(count)} ${count === 1 ? "smaller one" : "smaller ones"}${where}`}</p>;
}

function place(value: number, least: number, span: number, token: string) {
  return {
    left: `${((Math.min(0, value) - least) / span) * 100}%`,
    width: `${(Math.abs(value) / span) * 100}%`,
    background: `var(${token})`,
  };
}
