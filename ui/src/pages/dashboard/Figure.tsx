import Big from "big.js";
import { useEffect, useRef } from "preact/hooks";
import { decimalsOf, formatNumber, type NumberLook } from "../../format";

const COUNT_MS = 300;
/** A figure that changes faster than this counts up by itself. */
const REST_MS = 500;

export interface FigureProps {
  /** An exact number text; null: none. */
  value: string | null;
  look: NumberLook;
  class?: string;
}

/** A large number that counts to its new value, and ends at exactly that. */
export function Figure({ value, look, class: extra }: FigureProps) {
  const element = useRef<HTMLSpanElement>(null);
  const shown = useRef(value);
  const changedAt = useRef(Number.NEGATIVE_INFINITY);

  useEffect(() => {
    const from = shown.current;
    const rested = performance.now() - changedAt.current > REST_MS;
    if (from === value) return;
    shown.current = value;
    changedAt.current = performance.now();
    if (from === null || value === null || !rested || reduced()) return;
    return count(from, value, (text) => {
      // The text within its node, which Preact goes on to own.
      const node = element.current?.firstChild;
      if (node) node.nodeValue = formatNumber(text, look);
    });
  }, [value, look]);

  return (
    <span ref={element} class={extra}>
      {formatNumber(value, look)}
    </span>
  );
}

/** Show steps from one number to another, with as many decimals as the two have; gives what ends it. */
function count(from: string, to: string, show: (text: string) => void): () => void {
  const start = performance.now();
  const [first, last] = [new Big(from), new Big(to)];
  const decimals = Math.max(decimalsOf(from), decimalsOf(to));
  let frame = 0;
  const step = () => {
    const share = Math.min(1, Math.max(0, (performance.now() - start) / COUNT_MS));
    const eased = 1 - (1 - share) ** 3;
    show(share === 1 ? to : first.plus(last.minus(first).times(eased)).toFixed(decimals));
    if (share < 1) frame = requestAnimationFrame(step);
  };
  step();
  return () => cancelAnimationFrame(frame);
}

const reduced = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches;
