import { classes } from "./classes";
import styles from "./Fresh.module.css";

/** How fresh what one sees is. `waiting`: nothing is known yet. */
export interface Freshness {
  level: "live" | "late" | "bad" | "waiting";
  /** "120 ms ago", or the reason. */
  text: string;
  /** The whole reason, where the text is short. */
  detail?: string;
}

/** The live dot with its words. */
export function Fresh({ level, text, detail }: Freshness) {
  return (
    <span class={classes(styles.fresh, styles[level])} data-level={level} title={detail}>
      <span class={styles.dot} aria-hidden="true" />
      {text}
    </span>
  );
}
