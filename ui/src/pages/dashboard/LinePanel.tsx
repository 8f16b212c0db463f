import { serverNow } from "../../api/clock";
import { addressOf } from "../../api/routes";
import type { LinePanel as LineSettings } from "../../api/types";
import { giveColors, inColorOrder } from "../../charts/colors";
import { LineChart } from "../../charts/LineChart";
import { DIRECT_LABELS, tokenOf } from "../../charts/lineOption";
import { Swatch } from "../../charts/Readout";
import { REST, type Timeline, timeline } from "../../charts/timeline";
import { formatBucket, formatDuration, formatNumber, type NumberLook } from "../../format";
import { dimensionOf, isAverage } from "../../live/groups";
import styles from "./LinePanel.module.css";
import { PanelFrame, type Watching } from "./PanelFrame";
import type { Sheet } from "./sheet";

export interface LinePanelProps extends Watching {
  panel: LineSettings;
  rangeMs: number;
}

/** Values over time by series, up to the bucket that is still open. */
export function LinePanel({ panel, rangeMs, ...watching }: LinePanelProps) {
  const metric = watching.view?.metrics.get(panel.metric);
  const look = { unit: panel.unit, rounded: isAverage(panel.value) };
  const everyMs = panel.every_seconds * 1000;
  const line =
    metric &&
    colored(dimensionOf(metric), timeline(metric, { value: panel.value, everyMs, rangeMs, now: serverNow() }));
  return (
    <PanelFrame
      {...watching}
      title={panel.title}
      detail={panel.title.includes(per(everyMs)) ? undefined : per(everyMs)}
      subject={panel.metric}
      json={addressOf.metric(panel.metric)}
      sheet={line && (() => sheetOf(line, look))}
      empty={line?.series.length === 0}
      inexact={metric?.groups.some(({ exact }) => exact === false)}
    >
      {line && (
        <>
          {line.series.length > 1 && <Legend line={line} />}
          <LineChart title={panel.title} line={line} look={look} />
        </>
      )}
    </PanelFrame>
  );
}

/** In an order that stays, so that a stack does not jump when values change; what was added up comes last. */
function colored(dimension: string, line: Timeline): Timeline {
  giveColors(
    dimension,
    line.series.map(({ key }) => key).filter((key) => key !== REST),
  );
  return { ...line, series: inColorOrder(line.series) };
}

/** Names and colours; gives way to direct labels where there are few and room. */
function Legend({ line }: { line: Timeline }) {
  return (
    <ul class={styles.legend} data-direct={line.series.length <= DIRECT_LABELS}>
      {line.series.map((series) => (
        <li key={series.key} class={styles.series}>
          <Swatch token={tokenOf(series)} />
          <span class={styles.name} title={series.label}>
            {series.label}
          </span>
        </li>
      ))}
      {!line.totals && line.folded > 0 && <li class={styles.series}>{`${line.folded} more in the JSON`}</li>}
    </ul>
  );
}

/** The newest bucket first. */
function sheetOf(line: Timeline, look: NumberLook): Sheet {
  const number = (text: string | null | undefined) => ({ shown: formatNumber(text, look), exact: text ?? "" });
  const totals = line.series.length > 1 ? line.totals : null;
  const rows = line.times.map((time, place) => ({
    key: String(time),
    cells: [
      { shown: formatBucket(time, line.everyMs), exact: new Date(time).toISOString() },
      ...line.series.map(({ values }) => number(values[place])),
      ...(totals ? [number(totals[place])] : []),
    ],
  }));
  return {
    columns: [
      { title: "From", numeric: false },
      ...line.series.map(({ label }) => ({ title: label, numeric: true })),
      ...(totals ? [{ title: "Total", numeric: true }] : []),
    ],
    rows: rows.reverse(),
  };
}

/** "per minute", "per 15 min". */
function per(everyMs: number): string {
  const units: Record<number, string> = { 1000: "second", 60000: "minute", 3600000: "hour", 86400000: "day" };
  return `per ${units[everyMs] ?? formatDuration(everyMs)}`;
}
