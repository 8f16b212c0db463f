import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

const FLASH_MS = 200;
/** Not more often than this, whatever the rate of changes: three flashes a second can harm. */
const EVERY_MS = 1000;

/** Flashes once when `value` changed. */
export function Flash({
  value,
  children,
  class: extra,
}: {
  value: string;
  children: ComponentChildren;
  class?: string;
}) {
  const element = useRef<HTMLSpanElement>(null);
  const before = useRef(value);
  const flashedAt = useRef(Number.NEGATIVE_INFINITY);

  useEffect(() => {
    if (before.current === value) return;
    before.current = value;
    const now = performance.now();
    if (now - flashedAt.current < EVERY_MS || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    flashedAt.current = now;
    element.current?.animate([{ background: "var(--flash)" }, { background: "transparent" }], FLASH_MS);
  }, [value]);

  return (
    <span ref={element} class={extra}>
      {children}
    </span>
  );
}
