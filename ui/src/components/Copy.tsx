import { useEffect, useState } from "preact/hooks";
import { Button, type ButtonProps } from "./Button";
import styles from "./Copy.module.css";
import { CheckIcon, CopyIcon } from "./icons";

const SAID_FOR_MS = 1500;

export interface CopyProps {
  /** What is copied; a function where making the text costs something. */
  text: string | (() => string);
  /** What the button is called: "Copy as CSV". */
  label: string;
  /** Show the label, not only the icon. */
  labelled?: boolean;
  look?: NonNullable<ButtonProps["look"]>;
}

/** Copies a text, and says whether that worked. */
export function Copy({ text, label, labelled = false, look = "quiet" }: CopyProps) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (said === "") return;
    const timer = setTimeout(() => setSaid(""), SAID_FOR_MS);
    return () => clearTimeout(timer);
  }, [said]);

  const copy = () =>
    navigator.clipboard.writeText(typeof text === "string" ? text : text()).then(
      () => setSaid("Copied"),
      () => setSaid("The browser did not allow it"),
    );

  return (
    <Button look={look} onClick={copy} title={label} aria-label={labelled ? undefined : label}>
      {said === "Copied" ? <CheckIcon /> : <CopyIcon />}
      {labelled && <span>{label}</span>}
      <span class="unseen" role="status">
        {said}
      </span>
    </Button>
  );
}

/** A line to paste into a terminal. */
export function Command({ text }: { text: string }) {
  return (
    <div class={styles.command}>
      <code class={styles.text}>{text}</code>
      <Copy text={text} label="Copy the command" />
    </div>
  );
}
