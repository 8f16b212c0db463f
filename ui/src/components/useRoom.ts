import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";

/**
 * How many rows an element has room for, at least one; all of them unless it is `bounded`.
 *
 * @param row The height of a row, in rem.
 * @param above What stands above the rows within the element, in rem.
 */
export function useRoom(box: RefObject<HTMLElement | null>, bounded: boolean, row: number, above = 0): number {
  const [room, setRoom] = useState(Number.POSITIVE_INFINITY);
  useLayoutEffect(() => {
    const element = box.current;
    if (!bounded || element === null) return;
    const measure = () => {
      const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
      setRoom(Math.max(1, Math.floor((element.clientHeight / rem - above) / row)));
    };
    const resized = new ResizeObserver(measure);
    resized.observe(element);
    return () => resized.disconnect();
  }, [box, bounded, row, above]);
  return bounded ? room : Number.POSITIVE_INFINITY;
}
