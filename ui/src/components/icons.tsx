/** Line icons on a 16-px grid. They repeat a label that is there already, so nobody reads them aloud. */

import type { ComponentChildren } from "preact";

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg
      width="1em"
      height="1em"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {children}
    </svg>
  );
}

const icon = (path: string) => () => (
  <Icon>
    <path d={path} />
  </Icon>
);

export const MarkIcon = () => (
  <Icon>
    <circle cx="8" cy="8" r="6" stroke-width="2" />
    <circle cx="8" cy="8" r="2" fill="currentColor" />
  </Icon>
);
export const OverviewIcon = icon("M2.5 2.5h4.5v4.5H2.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5H2.5zM9 9h4.5v4.5H9z");
export const ChartIcon = icon("M2.5 2v11.5H14M5.5 10.5v-3M8.5 10.5V5M11.5 10.5V7.5");
export const SearchIcon = icon("M7 12a5 5 0 1 0 0-10 5 5 0 0 0 0 10zM10.8 10.8 14 14");
export const SqlIcon = icon("M2.5 4.5 6 8l-3.5 3.5M8 12h5.5");
export const TableIcon = icon("M2.5 3h11v10h-11zM2.5 6.5h11M6.5 6.5V13");
export const CopyIcon = icon("M5.5 5.5h8v8h-8zM3 10.5h-.5v-8h8V3");
export const CheckIcon = icon("m3 8.5 3.2 3.2L13 4.8");
export const JsonIcon = icon(
  "M6 2.5c-2.5 0-1 5-3.5 5.5C5 8.5 3.5 13.5 6 13.5M10 2.5c2.5 0 1 5 3.5 5.5-2.5.5-1 5.5-3.5 5.5",
);
export const SunIcon = icon(
  "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M12.6 3.4l-.7.7M4.1 11.9l-.7.7",
);
export const MoonIcon = icon("M13.5 9.7A6 6 0 0 1 6.3 2.5a6 6 0 1 0 7.2 7.2z");
export const SystemIcon = icon("M2 3h12v8H2zM6 13.5h4");
export const WallIcon = icon("M6 2.5H2.5V6M10 2.5h3.5V6M6 13.5H2.5V10M10 13.5h3.5V10");
export const CloseIcon = icon("m4 4 8 8M12 4l-8 8");
