import type { ComponentChildren } from "preact";
import { Button, LinkButton } from "../../components/Button";
import { Copy } from "../../components/Copy";
import { DataTable } from "../../components/DataTable";
import { Fresh } from "../../components/Fresh";
import { JsonIcon, TableIcon } from "../../components/icons";
import { Panel } from "../../components/Panel";
import { Empty, Loading, Notice } from "../../components/State";
import { freshness, isStale } from "../../live/freshness";
import type { View } from "../../live/live";
import styles from "./PanelFrame.module.css";
import { type Sheet, type SheetRow, tabSeparated } from "./sheet";

/** What every panel is given. */
export interface Watching {
  view: View | undefined;
  /** When ages are told, in the clock of `performance.now()`. */
  now: number;
  /** The page says how fresh all panels are, so that a dot is enough here. */
  brief: boolean;
  /** On a wall nothing scrolls: what has no room is left out. */
  wall: boolean;
  /** Names the panel on its page. */
  name: string;
  inTable: boolean;
  onTable: (inTable: boolean) => void;
}

export interface PanelFrameProps extends Watching {
  title: string;
  detail?: ComponentChildren;
  /** The metric or collection that is shown. */
  subject: string;
  /** The address of the same data as JSON. */
  json: string;
  /** Makes the table of what is shown, where somebody wants it. Undefined: nothing is known yet. */
  sheet: (() => Sheet) | undefined;
  /** There is nothing to show. */
  empty: boolean | undefined;
  /** What the copy button gives, where that is not the table. */
  copy?: string;
  /** Some groups miss a dead letter. */
  inexact?: boolean;
  flush?: boolean;
  class?: string;
  /** What stands above the content, such as a reason why a part is missing. */
  notice?: ComponentChildren;
  children: ComponentChildren;
}

/** More rows are copied than shown: a table that changes ten times a second must stay readable. */
const MOST_ROWS = 200;

/** The frame of every panel: freshness, table view, copy, the same data as JSON, and what to say when there is none. */
export function PanelFrame(props: PanelFrameProps) {
  const {
    view,
    now,
    brief,
    name,
    inTable,
    onTable,
    title,
    detail,
    subject,
    json,
    sheet,
    empty,
    copy,
    flush,
    class: extra,
  } = props;
  const fresh = freshness(view, subject, now);
  const actions = (
    <>
      <Button
        look="quiet"
        aria-pressed={inTable}
        aria-label="Show as a table"
        title="Show as a table (t)"
        onClick={() => onTable(!inTable)}
      >
        <TableIcon />
      </Button>
      <Copy
        text={() => copy ?? (sheet ? tabSeparated(sheet()) : "")}
        label={copy ? "Copy the number" : "Copy as a table"}
      />
      <LinkButton
        look="quiet"
        href={json}
        target="_blank"
        rel="noopener"
        title="The same as JSON"
        aria-label="The same as JSON"
      >
        <JsonIcon />
      </LinkButton>
    </>
  );
  return (
    <Panel
      {...{ title, detail, name, actions }}
      class={extra}
      flush={sheet !== undefined && !empty && (flush || inTable)}
      stale={isStale(view, fresh)}
      fresh={<Fresh {...fresh} brief={brief} />}
    >
      {props.notice}
      {props.inexact && <Notice>Dead letters are missing from some figures: dynalens dlq list</Notice>}
      <Content {...props} />
    </Panel>
  );
}

function Content({ title, subject, sheet, empty, inTable, children }: PanelFrameProps) {
  if (sheet === undefined) return <Loading what={title} />;
  if (empty) return <Empty title="Nothing yet">{`Shown here as soon as ${subject} has something.`}</Empty>;
  return inTable ? <SheetTable title={title} sheet={sheet()} /> : children;
}

function SheetTable({ title, sheet: { columns, rows } }: { title: string; sheet: Sheet }) {
  return (
    <div class={styles.sheet}>
      <DataTable
        caption={title}
        columns={columns.map((column, index) => ({ ...column, cell: ({ cells }: SheetRow) => cells[index]?.shown }))}
        rows={rows.slice(0, MOST_ROWS)}
        rowKey={({ key }) => key}
      />
      {rows.length > MOST_ROWS && (
        <Notice>{`The first ${MOST_ROWS} of ${rows.length} rows. Copying gives all.`}</Notice>
      )}
    </div>
  );
}
