import { useEffect, useState } from "preact/hooks";

const TICK_MS = 1000;

/** Render again every second, for what says how long ago something was. Gives the tick's `performance.now()`, the same for all it is said of. */
export function useClock(): number {
  const [now, tick] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => tick(performance.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}
