import { useEffect, useState } from "preact/hooks";

const TICK_MS = 1000;

/** Render again every second, for what says how long ago something was. */
export function useClock(): void {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), TICK_MS);
    return () => clearInterval(timer);
  }, []);
}
