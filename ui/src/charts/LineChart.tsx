import { useEffect, useRef, useState } from "preact/hooks";
import { formatNumber, type NumberLook } from "../format";
import { Painter } from "../live/painter";
import { themeChanges } from "../theme";
import { resolveToken } from "./colors";
import type { ECharts } from "./echarts";
import styles from "./LineChart.module.css";
import { lineOption } from "./lineOption";
import { Readout } from "./Readout";
import type { Timeline } from "./timeline";

export interface LineChartProps {
  title: string;
  line: Timeline;
  look: NumberLook;
}

/** A line chart; pointer and arrow keys read the exact values of one bucket. */
export function LineChart({ title, line, look }: LineChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const chart = useChart(frame, line, look);
  const [pointed, setPointed] = useState<number | null>(null);
  const place = pointed === null ? null : line.times.indexOf(pointed);

  const pointAt = (index: number) => setPointed(line.times[clamp(index, line.times.length)] ?? null);
  const follow = ({ offsetX }: MouseEvent) => {
    const time = chart.current?.convertFromPixel({ xAxisIndex: 0 }, offsetX);
    if (typeof time === "number") pointAt(Math.floor((time - (line.times[0] ?? 0)) / line.everyMs));
  };
  const step = (event: KeyboardEvent) => {
    const last = line.times.length - 1;
    const from = place === null || place === -1 ? last + 1 : place;
    if (event.key === "ArrowLeft") pointAt(from - 1);
    else if (event.key === "ArrowRight") pointAt(from + 1);
    else if (event.key === "Home") pointAt(0);
    else if (event.key === "End") pointAt(last);
    else if (event.key === "Escape") setPointed(null);
    else return;
    event.preventDefault();
  };

  return (
    <div class={styles.chart}>
      {/* biome-ignore lint/a11y/useSemanticElements: no element is a chart that arrow keys walk through. */}
      <div
        class={styles.surface}
        role="group"
        aria-roledescription="chart"
        aria-label={describe(title, line, look)}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys read the values.
        tabIndex={0}
        onMouseMove={follow}
        onMouseLeave={() => setPointed(null)}
        onBlur={() => setPointed(null)}
        onKeyDown={step}
      >
        <div ref={frame} class={styles.canvas} />
      </div>
      {place !== null && place !== -1 && (
        <Readout line={line} place={place} look={look} at={middleOf(chart.current, line, place)} />
      )}
    </div>
  );
}

/** Drawing takes at most this part of the time, so that a day of many series leaves room for keys and clicks. */
const MOST_SHARE = 0.1;

/** ECharts on an element, redrawn when data, theme or size change. */
function useChart(frame: { current: HTMLDivElement | null }, line: Timeline, look: NumberLook) {
  const chart = useRef<ECharts | null>(null);
  const draw = useRef(() => {});
  const brush = useRef<Painter>(undefined);
  draw.current = () => {
    const width = frame.current?.clientWidth ?? 0;
    if (!chart.current || width === 0) return;
    const { fontSize, fontFamily: font } = getComputedStyle(document.documentElement);
    const rem = Number.parseFloat(fontSize);
    const option = lineOption(line, look, { color: resolveToken, font, rem, width });
    chart.current.setOption(option, { replaceMerge: ["series"], silent: true });
    chart.current.getZr().flush();
  };

  useEffect(() => {
    let gone = false;
    const painter = new Painter(() => draw.current(), MOST_SHARE);
    brush.current = painter;
    const redraw = () => painter.ask();
    const resized = new ResizeObserver(() => {
      chart.current?.resize();
      redraw();
    });
    void import("./echarts").then(({ init }) => {
      if (gone || !frame.current) return;
      chart.current = init(frame.current);
      resized.observe(frame.current);
      redraw();
    });
    themeChanges.addEventListener("change", redraw);
    return () => {
      gone = true;
      themeChanges.removeEventListener("change", redraw);
      resized.disconnect();
      painter.close();
      chart.current?.dispose();
    };
  }, [frame]);

  useEffect(() => brush.current?.ask());
  return chart;
}

/** Where the middle of a bucket is, in pixels from the left. */
function middleOf(chart: ECharts | null, line: Timeline, place: number): number {
  const pixel = chart?.convertToPixel({ xAxisIndex: 0 }, (line.times[place] ?? 0) + line.everyMs / 2);
  return typeof pixel === "number" ? pixel : 0;
}

function describe(title: string, { times, series, totals }: Timeline, look: NumberLook): string {
  const newest = totals?.at(-1);
  const now = newest === undefined ? "" : ` The newest, still open, has ${formatNumber(newest, look)}.`;
  return `${title}: ${series.length} series over ${times.length} time buckets.${now} Arrow keys read the values.`;
}

const clamp = (index: number, length: number) => Math.min(Math.max(index, 0), length - 1);
