import Big from "big.js";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { addressOf } from "../../api/routes";
import type { NumberPanel as NumberSettings } from "../../api/types";
import { formatAgo, formatDelta, formatNumber, type NumberLook } from "../../format";
import { headline, isAverage } from "../../live/groups";
import { Figure } from "./Figure";
import { Flash } from "./Flash";
import styles from "./NumberPanel.module.css";
import { PanelFrame, type Watching } from "./PanelFrame";
import { type Sheet, textCell } from "./sheet";

/** One number, as large as it is important, with how far it is to the goal. */
export function NumberPanel({ panel, ...watching }: Watching & { panel: NumberSettings }) {
  const metric = watching.view?.metrics.get(panel.metric);
  const look = useMemo<NumberLook>(
    () => ({ unit: panel.unit, rounded: isAverage(panel.value) }),
    [panel.unit, panel.value],
  );
  const value = metric ? headline(metric, panel.value) : null;
  const sheet = (): Sheet => ({
    columns: [
      { title: panel.title, numeric: false },
      { title: panel.value, numeric: true },
    ],
    rows: [
      { key: "now", cells: [textCell("Now"), { shown: formatNumber(value, look), exact: value ?? "" }] },
      ...(panel.goal === null
        ? []
        : [
            {
              key: "goal",
              cells: [textCell("Goal"), { shown: formatNumber(panel.goal, look), exact: panel.goal.toString() }],
            },
          ]),
    ],
  });
  return (
    <PanelFrame
      {...watching}
      title={panel.title}
      subject={panel.metric}
      json={addressOf.metric(panel.metric)}
      sheet={metric && sheet}
      empty={false}
      copy={value ?? undefined}
      class={styles.panel}
      inexact={metric?.groups.some(({ exact }) => exact === false)}
    >
      <div class={styles.number}>
        <Figure value={value} look={look} class={styles.figure} />
        <p class={styles.lastChange}>
          <LastChange value={value} look={look} />
        </p>
      </div>
      {panel.goal !== null && value !== null && <Goal value={value} goal={panel.goal.toString()} look={look} />}
    </PanelFrame>
  );
}

/** By how much the number changed last, and how long ago. */
function LastChange({ value, look }: { value: string | null; look: NumberLook }) {
  const before = useRef(value);
  const [change, setChange] = useState<{ delta: string; at: number }>();
  useEffect(() => {
    const from = before.current;
    before.current = value;
    if (from === null || value === null || from === value) return;
    setChange({ delta: new Big(value).minus(from).toFixed(), at: Date.now() });
  }, [value]);
  if (!change) return null;
  return (
    <Flash value={`${change.delta} ${change.at}`} class={styles.change}>
      {formatDelta(change.delta, look)}
      <span class={styles.when}>{formatAgo(change.at, Date.now())}</span>
    </Flash>
  );
}

function Goal({ value, goal, look }: { value: string; goal: string; look: NumberLook }) {
  const left = new Big(goal).minus(value);
  const share = goalShare(value, goal);
  const missing = left.gt(0) ? `${formatNumber(left.toFixed(), look)} to go` : reached(left.abs(), look);
  return (
    <div class={styles.goal}>
      <div
        class={styles.track}
        role="progressbar"
        aria-label="Towards the goal"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.min(100, Number(share))}
        aria-valuetext={`${share}% of ${formatNumber(goal, look)}, ${missing}`}
      >
        <div class={styles.filled} style={{ transform: `scaleX(${Math.min(1, Math.max(0, Number(share) / 100))})` }} />
      </div>
      <p class={styles.goalText}>
        <span>
          <strong>{formatNumber(share)}%</strong> {`of ${formatNumber(goal, look)}`}
        </span>
        <span>{missing}</span>
      </p>
    </div>
  );
}

function reached(beyond: Big, look: NumberLook): string {
  return beyond.eq(0) ? "Goal reached" : `Goal reached, ${formatNumber(beyond.toFixed(), look)} beyond`;
}

/** Percent with one decimal, rounded down: nothing is 100% before it is. */
export function goalShare(value: string, goal: string): string {
  if (new Big(goal).lte(0)) return "100";
  return new Big(value).times(100).div(goal).round(1, Big.roundDown).toString();
}
