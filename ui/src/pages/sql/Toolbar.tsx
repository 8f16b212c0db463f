import { useEffect, useState } from "preact/hooks";
import { Button } from "../../components/Button";
import { Copy } from "../../components/Copy";
import { formatNumber } from "../../format";
import { type Answer, SQL_ADDRESS } from "./answer";
import { FORMATS, written } from "./formats";
import styles from "./sql.module.css";
import type { Run } from "./useQuery";

const TICK_MS = 100;
const IS_MAC = /Mac|iP/.test(navigator.platform);

interface ToolbarProps {
  readonly run: Run;
  readonly answer: Answer | undefined;
  readonly query: string;
  readonly onRun: () => void;
  readonly onCancel: () => void;
}

/** Run and cancel, what came of it, and the answer to take along. */
export function Toolbar({ run, answer, query, onRun, onCancel }: ToolbarProps) {
  return (
    <div class={styles.toolbar}>
      {run.state === "running" ? (
        <Button onClick={onCancel}>
          Cancel <kbd>Esc</kbd>
        </Button>
      ) : (
        <Button look="primary" onClick={onRun} disabled={query.trim() === ""}>
          Run <kbd>{IS_MAC ? "⌘" : "Ctrl"} ↵</kbd>
        </Button>
      )}
      <p class={styles.status} role="status">
        <Status run={run} answer={answer} />
      </p>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would frame what is no field. */}
      <div class={styles.actions} role="group" aria-label="Copy as">
        {(answer !== undefined || query.trim() !== "") && <span class={styles.status}>Copy as</span>}
        {answer !== undefined &&
          FORMATS.map((format) => <Copy key={format} text={() => written(answer, format)} label={format} labelled />)}
        {query.trim() !== "" && <Copy text={() => curl(query)} label="curl" labelled />}
      </div>
    </div>
  );
}

function Status({ run, answer }: { run: Run; answer: Answer | undefined }) {
  switch (run.state) {
    case "none":
      return <>Read-only: one SELECT, up to 10 s and 100,000 rows</>;
    case "running":
      return <Elapsed />;
    case "cancelled":
      return <>Cancelled. The server ends what it had begun.</>;
    case "failed":
      return answer === undefined ? null : <>Below is the answer before this one.</>;
    case "answered":
      return answer === undefined ? null : <Figures answer={answer} />;
  }
}

function Figures({ answer: { rows, statistics } }: { answer: Answer }) {
  return (
    <>
      <strong>{formatNumber(rows.length)}</strong> {rows.length === 1 ? "row" : "rows"}
      {statistics.elapsed_ms !== undefined && ` in ${duration(statistics.elapsed_ms)}`}
      {statistics.rows_read !== undefined && `, ${formatNumber(statistics.rows_read)} read`}
    </>
  );
}

/** Counts while a query runs; read aloud once. */
function Elapsed() {
  const [since] = useState(() => performance.now());
  const [now, setNow] = useState(since);
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <>
      Running <span aria-hidden="true">{((now - since) / 1000).toFixed(1)} s</span>
    </>
  );
}

function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.max(1, Math.round(milliseconds))} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}

/** For a shell: a single quote within single quotes ends them, stands for itself, and begins them again. */
function curl(query: string): string {
  const body = JSON.stringify({ query }).replaceAll("'", `'\\''`);
  return `curl --json '${body}' ${location.origin}${SQL_ADDRESS}`;
}
