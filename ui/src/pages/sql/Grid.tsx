// biome-ignore-all lint/a11y/useSemanticElements: a table would have to hold every row; this grid holds those in sight.
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid has the focus and names its active cell.
// biome-ignore-all lint/a11y/useKeyWithClickEvents: the grid has the keys.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { isNested, type Json, writeJson } from "../../api/json";
import type { Answer, Column } from "./answer";
import { isNumeric, shortType, widthsOf } from "./columns";
import { cellText } from "./formats";
import styles from "./Grid.module.css";
import { type Cell, moved } from "./gridKeys";
import { columnsInSight, edgesOf, type RowHeights, rowsInSight, type Span, scrolledTo, topOf } from "./windowing";

/** In rem, as the style sheet has them: the arithmetic needs them too. */
const CLOSED = 1.75;
const OPEN = 10.5;
const HEADER = 2.75;
const PADDING = 1.625;
/** The width of a digit, in the widest of the token's monospaced fonts. */
const CHARACTER = 0.456;

const SLOTS = 64;

/** The first key leads from here to the first cell. */
const BEFORE: Cell = { row: -1, column: 0 };

interface Sight {
  readonly top: number;
  readonly left: number;
  readonly width: number;
  readonly height: number;
}

/** Rows beyond number: only those in sight are in the page. */
export function Grid({ answer, label }: { answer: Answer; label: string }) {
  const box = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState<Cell>();
  const [opened, setOpened] = useState<readonly number[]>([]);
  const sight = useSight(box);
  const rem = useMemo(rootSize, [answer]);
  const edges = useMemo(() => edgesOf(widthsOf(answer).map((width) => rem * (width * CHARACTER + PADDING))), [answer]);
  const heights: RowHeights = { count: answer.rows.length, closed: CLOSED * rem, open: OPEN * rem, opened };
  const rows = rowsInSight(heights, sight.top, sight.height - HEADER * rem);
  const slots = slotsFor(rows);
  const columns = columnsInSight(edges, sight.left, sight.width);

  useEffect(() => {
    setActive(undefined);
    setOpened([]);
    box.current?.scrollTo?.(0, 0);
  }, [answer]);

  const toggle = (row: number) =>
    setOpened((rows) =>
      rows.includes(row) ? rows.filter((one) => one !== row) : [...rows, row].sort((a, b) => a - b),
    );

  const show = (cell: Cell) => {
    setActive(cell);
    if (box.current !== null) {
      scrollIntoSight(box.current, cell, heights, edges, HEADER * rem);
    }
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor((sight.height - HEADER * rem) / heights.closed) - 1);
    const extent = { rows: answer.rows.length, columns: answer.columns.length, page };
    const cell = moved(active ?? BEFORE, event.key, event.ctrlKey || event.metaKey, extent);
    if (cell !== undefined) {
      event.preventDefault();
      show(cell);
    } else if (active !== undefined && isToggle(event)) {
      event.preventDefault();
      toggle(active.row);
    }
  };

  const onCopy = (event: ClipboardEvent) => {
    const value = active && answer.rows[active.row]?.[active.column];
    if (value !== undefined && !isSelecting()) {
      event.clipboardData?.setData("text/plain", cellText(value));
      event.preventDefault();
    }
  };

  const press = (cell: Cell) => {
    if (cell.row === active?.row && cell.column === active.column) {
      toggle(cell.row);
    } else if (!isSelecting()) {
      setActive(cell);
    }
  };

  return (
    <div
      ref={box}
      class={styles.grid}
      role="grid"
      tabIndex={0}
      aria-label={label}
      aria-readonly="true"
      aria-rowcount={answer.rows.length + 1}
      aria-colcount={answer.columns.length}
      aria-activedescendant={active && cellId(active)}
      onKeyDown={onKeyDown}
      onCopy={onCopy}
    >
      <Header columns={answer.columns} shown={columns} edges={edges} />
      <div
        class={styles.rows}
        role="rowgroup"
        style={{ height: `${topOf(heights, heights.count)}px`, width: widthOf(edges) }}
      >
        {indexes(rows).map((row) => (
          <Row
            key={row % slots}
            row={row}
            top={topOf(heights, row)}
            values={answer.rows[row] ?? []}
            columns={answer.columns}
            shown={withActive(columns, row === active?.row ? active.column : undefined)}
            edges={edges}
            open={opened.includes(row)}
            active={row === active?.row ? active.column : undefined}
            onPress={press}
          />
        ))}
      </div>
    </div>
  );
}

function Header({ columns, shown, edges }: { columns: readonly Column[]; shown: Span; edges: readonly number[] }) {
  return (
    <div class={styles.header} role="rowgroup" style={{ width: widthOf(edges) }}>
      <div role="row" aria-rowindex={1}>
        {indexes(shown).map((index) => {
          const { name = "", type = "" } = columns[index] ?? {};
          return (
            <div
              key={index}
              role="columnheader"
              aria-colindex={index + 1}
              class={isNumeric(type) ? `${styles.name} ${styles.number}` : styles.name}
              style={placed(edges, index)}
              title={`${name}: ${type}`}
            >
              <span>{name}</span>
              <small>{shortType(type)}</small>
            </div>
          );
        })}
      </div>
    </div>
  );
}

interface RowProps {
  readonly row: number;
  readonly top: number;
  readonly values: readonly Json[];
  readonly columns: readonly Column[];
  readonly shown: readonly number[];
  readonly edges: readonly number[];
  readonly open: boolean;
  readonly active: number | undefined;
  readonly onPress: (cell: Cell) => void;
}

function Row({ row, top, values, columns, shown, edges, open, active, onPress }: RowProps) {
  return (
    <div
      role="row"
      class={open ? `${styles.row} ${styles.open}` : styles.row}
      aria-rowindex={row + 2}
      style={{ transform: `translateY(${top}px)`, width: widthOf(edges) }}
    >
      {shown.map((column) => (
        <div
          key={column}
          id={cellId({ row, column })}
          role="gridcell"
          aria-colindex={column + 1}
          aria-expanded={column === active ? open : undefined}
          class={cellClass(columns[column], column === active)}
          style={placed(edges, column)}
          onClick={() => onPress({ row, column })}
        >
          <Value value={values[column] ?? null} open={open} />
        </div>
      ))}
    </div>
  );
}

function Value({ value, open }: { value: Json; open: boolean }) {
  if (value === null) {
    return <span class={styles.null}>NULL</span>;
  }
  if (value === "") {
    return <span class={styles.empty}>empty</span>;
  }
  if (isNested(value)) {
    return <span class={styles.nested}>{writeJson(value, open ? 2 : undefined)}</span>;
  }
  return <>{cellText(value)}</>;
}

/** Follow what part of the grid is in sight. */
function useSight(box: { readonly current: HTMLElement | null }): Sight {
  const [sight, setSight] = useState<Sight>({ top: 0, left: 0, width: 800, height: 600 });
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) {
      return;
    }
    const look = () =>
      setSight({
        top: element.scrollTop,
        left: element.scrollLeft,
        width: element.clientWidth,
        height: element.clientHeight,
      });
    const resized = new ResizeObserver(look);
    look();
    resized.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      resized.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, [box]);
  return sight;
}

function scrollIntoSight(
  box: HTMLElement,
  cell: Cell,
  heights: RowHeights,
  edges: readonly number[],
  header: number,
): void {
  const top = scrolledTo(
    box.scrollTop,
    box.clientHeight - header,
    topOf(heights, cell.row),
    topOf(heights, cell.row + 1),
  );
  const left = scrolledTo(box.scrollLeft, box.clientWidth, edges[cell.column] ?? 0, edges[cell.column + 1] ?? 0);
  box.scrollTo?.(left, top);
}

/** The columns in sight, and the active one wherever it is: screen readers are told of it by its id. */
function withActive(shown: Span, active: number | undefined): readonly number[] {
  const inSight = indexes(shown);
  return active === undefined || inSight.includes(active) ? inSight : [...inSight, active];
}

function cellClass(column: Column | undefined, active: boolean): string {
  const classes = [styles.cell, isNumeric(column?.type ?? "") && styles.number, active && styles.active];
  return classes.filter(Boolean).join(" ");
}

function placed(edges: readonly number[], column: number): { left: string; width: string } {
  const left = edges[column] ?? 0;
  return { left: `${left}px`, width: `${(edges[column + 1] ?? left) - left}px` };
}

function widthOf(edges: readonly number[]): string {
  return `${edges[edges.length - 1] ?? 0}px`;
}

/** How many rows are made: one that leaves on one side is used again on the other. */
function slotsFor({ first, end }: Span): number {
  return SLOTS * Math.max(1, Math.ceil((end - first) / SLOTS));
}

function indexes({ first, end }: Span): readonly number[] {
  return Array.from({ length: Math.max(0, end - first) }, (_, index) => first + index);
}

/** Pixels of a rem: the reader's own size of text. */
function rootSize(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
}

/** With Ctrl it is a key of the page. */
function isToggle({ key, ctrlKey, metaKey }: KeyboardEvent): boolean {
  return (key === "Enter" || key === " ") && !ctrlKey && !metaKey;
}

/** Whether a text is being marked with the pointer. */
function isSelecting(): boolean {
  return document.getSelection()?.isCollapsed === false;
}

function cellId({ row, column }: Cell): string {
  return `cell-${row}-${column}`;
}
