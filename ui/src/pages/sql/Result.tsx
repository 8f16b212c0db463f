import { isWorthRepeating } from "../../api/repeating";
import { useResource } from "../../api/resource";
import { classes } from "../../components/classes";
import { Empty, Failure, Loading } from "../../components/State";
import type { Answer } from "./answer";
import { getExamples } from "./examples";
import { Grid } from "./Grid";
import type { Table } from "./schema";
import styles from "./sql.module.css";
import type { Run } from "./useQuery";

interface ResultProps {
  readonly run: Run;
  readonly answer: Answer | undefined;
  /** Line and column of the mistake, where the error says so. */
  readonly where: readonly [line: number, column: number] | undefined;
  readonly tables: readonly Table[];
  readonly onExample: (query: string) => void;
  readonly onRetry: () => void;
}

/** What the query gave; before the first one, queries to start from. */
export function Result({ run, answer, where, tables, onExample, onRetry }: ResultProps) {
  return (
    <div class={styles.result}>
      {run.state === "failed" && (
        <Failure
          what={
            where === undefined
              ? "The query has no answer"
              : `The query is wrong at line ${where[0]}, column ${where[1]}`
          }
          error={run.error}
          {...(isWorthRepeating(run.error) && { retry: onRetry })}
        />
      )}
      {answer === undefined ? (
        run.state === "none" && <Examples tables={tables} onExample={onExample} />
      ) : (
        <div class={classes(styles.answer, run.state !== "answered" && styles.old)}>
          <Grid answer={answer} label="Answer" />
          {answer.rows.length === 0 && (
            <Empty title="No rows">The query is right; nothing matches what it asks for.</Empty>
          )}
        </div>
      )}
    </div>
  );
}

function Examples({ tables, onExample }: { tables: readonly Table[]; onExample: (query: string) => void }) {
  const { data: examples, error } = useResource(`examples ${tables.map(({ name }) => name).join()}`, (options) =>
    getExamples(tables, options),
  );
  if (examples === undefined && error === undefined) {
    return <Loading what="examples" />;
  }
  if (examples === undefined || examples.length === 0) {
    return null;
  }
  return (
    <section class={styles.examples} aria-label="Examples">
      <h2>Start from one of these</h2>
      <ul>
        {examples.map(({ title, query }) => (
          <li key={query}>
            <button type="button" class={styles.example} onClick={() => onExample(query)}>
              <span>{title}</span>
              <code>{query.replaceAll("\n", " ")}</code>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
