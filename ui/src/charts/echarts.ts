/** The parts of ECharts that are used, in a chunk of their own. */

import { LineChart, type LineSeriesOption } from "echarts/charts";
import {
  GridComponent,
  type GridComponentOption,
  MarkAreaComponent,
  type MarkAreaComponentOption,
} from "echarts/components";
import { type ComposeOption, type ECharts, init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

// Canvas, as SVG would set style attributes, which the page's content security policy forbids.
use([LineChart, GridComponent, MarkAreaComponent, CanvasRenderer]);

export type ChartOption = ComposeOption<LineSeriesOption | GridComponentOption | MarkAreaComponentOption>;
export { type ECharts, init };
