import type { ComponentChildren } from "preact";
import styles from "./Chip.module.css";
import { CloseIcon } from "./icons";

export interface ChipProps {
  children: ComponentChildren;
  /** Makes it a button that takes the chip away. */
  onRemove?: () => void;
  /** What that button is called: "Remove the filter platform = Phone". */
  removeLabel?: string;
}

/** A short fact; a filter that is on, where it can be removed. */
export function Chip({ children, onRemove, removeLabel }: ChipProps) {
  if (!onRemove) return <span class={styles.chip}>{children}</span>;
  return (
    <button type="button" class={styles.chip} onClick={onRemove} aria-label={removeLabel}>
      {children}
      <CloseIcon />
    </button>
  );
}
