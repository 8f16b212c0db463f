import { useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, asApiError, post } from "../../api/client";
import { type Answer, SQL_ADDRESS } from "./answer";

/** How the last run stands. */
export type Run =
  | { readonly state: "none" | "running" | "answered" | "cancelled" }
  | { readonly state: "failed"; readonly query: string; readonly error: ApiError };

export interface Running {
  readonly run: Run;
  /** The last answer: stays while the next one is awaited, was cancelled or failed. */
  readonly answer: Answer | undefined;
  readonly start: (query: string) => void;
  readonly cancel: () => void;
}

/** Run one query at a time; a new one takes the place of the one before. */
export function useQuery(): Running {
  const [run, setRun] = useState<Run>({ state: "none" });
  const [answer, setAnswer] = useState<Answer>();
  const aborter = useRef<AbortController>(undefined);
  useEffect(() => () => aborter.current?.abort(), []);

  const start = (query: string) => {
    aborter.current?.abort();
    const own = new AbortController();
    aborter.current = own;
    setRun({ state: "running" });
    post<Answer>(SQL_ADDRESS, { query }, { signal: own.signal }).then(
      (given) => {
        if (!own.signal.aborted) {
          setAnswer(given);
          setRun({ state: "answered" });
        }
      },
      (thrown: unknown) => own.signal.aborted || setRun({ state: "failed", query, error: asApiError(thrown) }),
    );
  };

  const cancel = () => {
    if (run.state === "running") {
      aborter.current?.abort();
      setRun({ state: "cancelled" });
    }
  };

  return { run, answer, start, cancel };
}
