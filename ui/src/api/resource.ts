/** An answer that a component shows: asked for, kept while it is asked for again, given up with the component. */

import { useEffect, useState } from "preact/hooks";
import { type ApiError, asApiError, type RequestOptions } from "./client";
import { isWorthRepeating } from "./repeating";

export interface Resource<T> {
  /** The last answer; stays while a newer one is awaited or failed. */
  data: T | undefined;
  /** Why the last attempt failed. */
  error: ApiError | undefined;
  reload: () => void;
}

type Load<T> = (options: RequestOptions) => Promise<T>;

/** A screen on a wall has nobody who presses "Try again". */
const RETRY_MS = 5_000;

/**
 * Ask once per `key`, again `every` milliseconds after each answer, and after errors that may pass.
 *
 * A new key forgets the answer to the old one.
 */
export function useResource<T>(key: string, load: Load<T>, every?: number): Resource<T> {
  const [attempt, setAttempt] = useState(0);
  const [held, setHeld] = useState<{ key: string; data?: T; error?: ApiError }>({ key });
  const current = held.key === key ? held : { key };

  const reload = () => setAttempt((before) => before + 1);

  // The key stands for what `load` asks; an attempt repeats it.
  useEffect(() => {
    const aborter = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const settle = (change: { data: T } | { error: ApiError }) => {
      if (aborter.signal.aborted) return;
      setHeld((before) => (before.key === key ? { key, ...kept(before), ...change } : { key, ...change }));
      const passing = "error" in change && isWorthRepeating(change.error) ? RETRY_MS : undefined;
      const wait = every ?? passing;
      if (wait !== undefined) timer = setTimeout(reload, wait);
    };
    load({ signal: aborter.signal }).then(
      (data) => settle({ data }),
      (thrown: unknown) => settle({ error: asApiError(thrown) }),
    );
    return () => {
      clearTimeout(timer);
      aborter.abort();
    };
  }, [key, attempt, every]);

  return { data: current.data, error: current.error, reload };
}

function kept<T>({ data }: { data?: T }): { data?: T } {
  return data === undefined ? {} : { data };
}
