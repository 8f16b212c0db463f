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

/** The live dot with its words; `brief`: the dot, as the words stand elsewhere for all of a page. */
export function Fresh({ level, text, detail, brief = false }: Freshness & { brief?: boolean }) {
  const whole = detail ? `${text}: ${detail}` : text;
  return (
    <span
      class={classes(styles.fresh, styles[level], brief && styles.brief)}
      data-level={level}
      data-brief={brief || undefined}
      title={brief ? whole : detail}
    >
      <span class={styles.dot} aria-hidden="true" />
      <span class={brief ? "unseen" : undefined}>{text}</span>
    </span>
  );
}
