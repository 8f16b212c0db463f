import type { ButtonHTMLAttributes, ComponentChildren, PartialAnchorHTMLAttributes } from "preact";
import styles from "./Button.module.css";
import { classes } from "./classes";

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** `primary` is the one thing to do on a page; `quiet` has no frame until it is pointed at. */
  look?: "plain" | "primary" | "quiet";
  children: ComponentChildren;
}

export function Button({ look = "plain", class: extra, children, ...rest }: ButtonProps) {
  return (
    <button type="button" class={classes(styles.button, styles[look], extra as string | undefined)} {...rest}>
      {children}
    </button>
  );
}

export interface LinkButtonProps extends Omit<PartialAnchorHTMLAttributes<HTMLAnchorElement>, "role" | "href"> {
  href: string;
  look?: "plain" | "primary" | "quiet";
  children: ComponentChildren;
}

/** A link that looks like a button: for what has an address. */
export function LinkButton({ look = "plain", class: extra, children, ...rest }: LinkButtonProps) {
  return (
    <a class={classes(styles.button, styles[look], extra as string | undefined)} {...rest}>
      {children}
    </a>
  );
}
