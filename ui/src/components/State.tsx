/** What a region shows when it has nothing to show: why, and what to do next. */

import type { ComponentChildren } from "preact";
import type { ApiError } from "../api/client";
import { Button } from "./Button";
import { Command } from "./Copy";
import { classes } from "./classes";
import styles from "./State.module.css";

export interface EmptyProps {
  title: string;
  /** What to do next. */
  children?: ComponentChildren;
  /** The command that does it. */
  command?: string;
}

/** Nothing there, and nothing wrong. */
export function Empty({ title, children, command }: EmptyProps) {
  return (
    <div class={styles.state}>
      <p class={styles.title}>{title}</p>
      {children && <p class={styles.detail}>{children}</p>}
      {command && <Command text={command} />}
    </div>
  );
}

/** Not there yet. Shows nothing for 150 ms, then grey lines where text will be; never a spinner. */
export function Loading({ what, lines = 3 }: { what: string; lines?: number }) {
  return (
    <div class={styles.loading} role="status">
      <span class="unseen">{`Loading ${what}`}</span>
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} class={styles.line} aria-hidden="true" />
      ))}
    </div>
  );
}

export interface FailureProps {
  /** What could not be done: "The dashboard could not be read". */
  what: string;
  error: ApiError;
  retry?: () => void;
}

/** What went wrong, why, and what to do now. */
export function Failure({ what, error, retry }: FailureProps) {
  return (
    <div class={classes(styles.state, styles.failure)} role="alert">
      <p class={styles.title}>{what}</p>
      <p class={styles.detail}>{error.message}</p>
      {error.hint && <p class={styles.detail}>{error.hint}</p>}
      {retry && <Button onClick={retry}>Try again</Button>}
    </div>
  );
}

/** One line above what is shown in part, or is shown only. */
export function Notice({ look = "late", children }: { look?: "late" | "bad"; children: ComponentChildren }) {
  return (
    <p class={classes(styles.notice, look === "bad" && styles.bad)} role="status">
      {children}
    </p>
  );
}
