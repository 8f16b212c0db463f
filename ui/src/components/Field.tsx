import type { JSX, PartialInputHTMLAttributes, PartialSelectHTMLAttributes, Ref } from "preact";
import { useId } from "preact/hooks";
import { classes } from "./classes";
import styles from "./Field.module.css";

interface Described {
  label: string;
  /** The label is said, not shown: for a field whose place says what it is. */
  labelUnseen?: boolean;
  hint?: string;
  error?: string;
}

export interface FieldProps
  extends Described,
    Omit<PartialInputHTMLAttributes<HTMLInputElement>, "role" | "type" | "list"> {
  type?: "text" | "search";
  inputRef?: Ref<HTMLInputElement>;
}

/** One line of input with its label, and what is wrong with it. */
export function Field({ label, labelUnseen, hint, error, inputRef, type = "text", ...rest }: FieldProps) {
  const id = useId();
  return (
    <Frame id={id} {...{ label, labelUnseen, hint, error }}>
      <input
        {...rest}
        id={id}
        // Preact's types tie the type to roles and lists, of which a field sets none.
        type={type as "search"}
        ref={inputRef}
        class={styles.input}
        aria-invalid={error ? "true" : undefined}
        aria-describedby={hint || error ? `${id}-note` : undefined}
      />
    </Frame>
  );
}

export interface SelectProps extends Described, Omit<PartialSelectHTMLAttributes<HTMLSelectElement>, "role" | "size"> {
  options: readonly { value: string; label: string }[];
}

/** One of a few values. */
export function Select({ label, labelUnseen, hint, error, options, value, ...rest }: SelectProps) {
  const id = useId();
  return (
    <Frame id={id} {...{ label, labelUnseen, hint, error }}>
      <select
        {...rest}
        id={id}
        value={value}
        class={classes(styles.input, styles.select)}
        aria-describedby={hint || error ? `${id}-note` : undefined}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </Frame>
  );
}

function Frame({
  id,
  label,
  labelUnseen,
  hint,
  error,
  children,
}: { [Name in keyof Described]: Described[Name] | undefined } & { id: string; children: JSX.Element }) {
  return (
    <div class={styles.field}>
      <label for={id} class={labelUnseen ? "unseen" : styles.label}>
        {label}
      </label>
      {children}
      {(hint || error) && (
        <p id={`${id}-note`} class={error ? styles.error : styles.hint}>
          {error ?? hint}
        </p>
      )}
    </div>
  );
}
