import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { address } from "../../api/client";
import { useResource } from "../../api/resource";
import { Editor, type EditorHandle } from "./Editor";
import { forget, readHistory, remember } from "./history";
import { lineAndColumn, placeOf } from "./position";
import { Result } from "./Result";
import { Sidebar } from "./Sidebar";
import { getTables, type Table } from "./schema";
import styles from "./sql.module.css";
import { Toolbar } from "./Toolbar";
import { useQuery } from "./useQuery";

const NO_TABLES: readonly Table[] = [];

/** The SQL page: what does this query give? */
export default function SqlPage() {
  const { url, route } = useLocation();
  const asked = new URL(url, location.origin).searchParams.get("query") ?? "";
  const [text, setText] = useState(asked);
  const [queries, setQueries] = useState(readHistory);
  const editor = useRef<EditorHandle>(null);
  const tables = useResource("tables", getTables);
  const { run, answer, start, cancel } = useQuery();
  const mistake = useMemo(() => mistakeOf(run), [run]);

  useEffect(() => {
    document.title = "SQL · Dynalens";
  }, []);

  // The address says what was run, so that back, forward and a shared link run it again.
  useEffect(() => {
    if (asked.trim() !== "") {
      editor.current?.replace(asked);
      start(asked);
    }
  }, [asked]);

  const submit = (query: string) => {
    if (query.trim() === "") {
      return;
    }
    editor.current?.replace(query);
    setQueries(remember(query));
    if (query === asked) {
      start(query);
    } else {
      route(address("/sql", { query }));
    }
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.defaultPrevented) {
      return;
    }
    if (event.key === "Escape") {
      cancel();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      submit(text);
    }
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys that work wherever on the page the focus is.
    <div class={styles.page} onKeyDown={onKeyDown}>
      <h1 class="unseen">SQL</h1>
      <Sidebar
        tables={tables}
        queries={queries}
        onInsert={(inserted) => editor.current?.insert(inserted)}
        onRun={submit}
        onForget={() => {
          forget();
          setQueries([]);
        }}
      />
      <section class={styles.work} aria-label="Query and result">
        <Editor
          handle={editor}
          initial={asked}
          tables={tables.data ?? NO_TABLES}
          mistake={mistake}
          onText={setText}
          onRun={submit}
        />
        <Toolbar run={run} answer={answer} query={text} onRun={() => submit(text)} onCancel={cancel} />
        <Result
          run={run}
          answer={answer}
          where={mistake && run.state === "failed" ? lineAndColumn(run.query, mistake.place.from) : undefined}
          tables={tables.data ?? NO_TABLES}
          onExample={submit}
          onRetry={() => submit(text)}
        />
      </section>
    </div>
  );
}

function mistakeOf(run: ReturnType<typeof useQuery>["run"]) {
  if (run.state !== "failed") {
    return undefined;
  }
  const place = placeOf(run.error.message, run.query);
  return place && { place, message: run.error.message };
}
