import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { classes } from "./classes";
import styles from "./Panel.module.css";

export interface PanelProps {
  title: string;
  /** What the title leaves open: per what, in which unit. */
  detail?: ComponentChildren;
  /** Freshness, beside the title. */
  fresh?: ComponentChildren;
  actions?: ComponentChildren;
  /** What is shown may be out of date: it stays readable, greyed. */
  stale?: boolean;
  /** Without padding, for tables that reach the edges. */
  flush?: boolean;
  class?: string;
  /** Names the panel to keyboard shortcuts. */
  name?: string;
  children: ComponentChildren;
}

/** A titled region of a page. */
export function Panel({ title, detail, fresh, actions, stale, flush, class: extra, name, children }: PanelProps) {
  const id = useId();
  return (
    <section class={classes(styles.panel, extra)} aria-labelledby={id} data-panel={name}>
      <header class={styles.header}>
        <h2 id={id} class={styles.title}>
          {title}
        </h2>
        {detail && <p class={styles.detail}>{detail}</p>}
        {fresh && <div class={styles.fresh}>{fresh}</div>}
        {actions && <div class={styles.actions}>{actions}</div>}
      </header>
      <div class={classes(styles.body, flush && styles.flush, stale && styles.stale)}>{children}</div>
    </section>
  );
}
