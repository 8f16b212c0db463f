import { classes } from "../components/classes";
import { formatBucket, formatNumber, type NumberLook } from "../format";
import styles from "./LineChart.module.css";
import { tokenOf } from "./lineOption";
import type { Timeline } from "./timeline";

export interface ReadoutProps {
  line: Timeline;
  /** Which bucket. */
  place: number;
  look: NumberLook;
  /** Where the bucket is, in pixels from the chart's left. */
  at: number;
}

/** The exact values of one bucket, beside a rule through it. */
export function Readout({ line, place, look, at }: ReadoutProps) {
  const start = line.times[place] ?? 0;
  const total = line.totals?.[place];
  const open = place === line.times.length - 1;
  const late = place > line.times.length / 2;
  return (
    <>
      <span class={styles.rule} style={{ left: `${at}px` }} />
      <div class={classes(styles.readout, late && styles.late)} role="status" style={{ "--at": `${at}px` }}>
        <p class={styles.when}>
          {formatBucket(start, line.everyMs)}
          {open && ", still open"}
        </p>
        <dl class={styles.values}>
          {line.series.map((series) => (
            <div key={series.key} class={styles.value}>
              <dt>
                <Swatch token={tokenOf(series)} />
                {series.label}
              </dt>
              <dd>{formatNumber(series.values[place], look)}</dd>
            </div>
          ))}
          {total !== undefined && line.series.length > 1 && (
            <div class={styles.total}>
              <dt>Total</dt>
              <dd>{formatNumber(total, look)}</dd>
            </div>
          )}
        </dl>
      </div>
    </>
  );
}

/** A patch of a series' colour. */
export function Swatch({ token }: { token: string }) {
  return <span class={styles.swatch} style={{ background: `var(${token})` }} aria-hidden="true" />;
}
