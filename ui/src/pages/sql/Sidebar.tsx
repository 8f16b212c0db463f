import type { Resource } from "../../api/resource";
import { Button } from "../../components/Button";
import { Empty, Failure, Loading } from "../../components/State";
import { shortType } from "./columns";
import { quoted } from "./identifiers";
import type { Table } from "./schema";
import styles from "./sql.module.css";

interface SidebarProps {
  readonly tables: Resource<readonly Table[]>;
  readonly queries: readonly string[];
  /** Put a name into the query. */
  readonly onInsert: (text: string) => void;
  readonly onRun: (query: string) => void;
  readonly onForget: () => void;
}

/** What can be asked, and what was. */
export function Sidebar({ tables, queries, onInsert, onRun, onForget }: SidebarProps) {
  return (
    <aside class={styles.side} aria-label="Collections and earlier queries">
      <h2>Collections</h2>
      <Tables tables={tables} onInsert={onInsert} />
      {queries.length > 0 && <Earlier queries={queries} onRun={onRun} onForget={onForget} />}
    </aside>
  );
}

function Tables({ tables, onInsert }: Pick<SidebarProps, "tables" | "onInsert">) {
  if (tables.data === undefined) {
    return tables.error === undefined ? (
      <Loading what="the collections" lines={5} />
    ) : (
      <Failure what="The collections could not be read" error={tables.error} retry={tables.reload} />
    );
  }
  if (tables.data.length === 0) {
    return (
      <Empty title="There is no collection yet" command="dynalens check">
        Name a table under `collections` in dynalens.yaml.
      </Empty>
    );
  }
  return (
    <ul>
      {tables.data.map((table) => (
        <li key={table.name}>
          <details class={styles.table} open={tables.data?.length === 1}>
            <summary>{table.name}</summary>
            <Name name={table.name} detail="collection" onInsert={onInsert} />
            {table.columns.map(({ name, type }) => (
              <Name key={name} name={name} detail={type} onInsert={onInsert} />
            ))}
          </details>
        </li>
      ))}
    </ul>
  );
}

function Name({ name, detail, onInsert }: { name: string; detail: string; onInsert: SidebarProps["onInsert"] }) {
  return (
    <button
      type="button"
      class={styles.column}
      title={`Insert ${name} (${detail})`}
      onClick={() => onInsert(quoted(name))}
    >
      <span>{name}</span>
      <small>{shortType(detail)}</small>
    </button>
  );
}

function Earlier({ queries, onRun, onForget }: Pick<SidebarProps, "queries" | "onRun" | "onForget">) {
  return (
    <>
      <h2>Earlier queries</h2>
      <ul>
        {queries.map((query) => (
          <li key={query}>
            <button type="button" class={styles.earlier} title={query} onClick={() => onRun(query)}>
              {query.replace(/\s+/g, " ")}
            </button>
          </li>
        ))}
      </ul>
      <Button look="quiet" onClick={onForget}>
        Forget them
      </Button>
    </>
  );
}
