import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import styles from "./Segmented.module.css";

export interface SegmentedProps<Value extends string> {
  label: string;
  value: Value;
  options: readonly { value: Value; label: string; icon?: ComponentChildren }[];
  onChange: (value: Value) => void;
}

/** One of two to five values, all in sight. Arrow keys move, as among radio buttons, which they are. */
export function Segmented<Value extends string>({ label, value, options, onChange }: SegmentedProps<Value>) {
  const name = useId();
  return (
    <fieldset class={styles.group}>
      <legend class="unseen">{label}</legend>
      {options.map((option) => (
        <label key={option.value} class={styles.option} title={option.label}>
          <input
            class="unseen"
            type="radio"
            name={name}
            value={option.value}
            checked={option.value === value}
            onChange={() => onChange(option.value)}
          />
          {option.icon}
          <span class={option.icon ? "unseen" : undefined}>{option.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
