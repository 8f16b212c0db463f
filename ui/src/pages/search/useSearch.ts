import { useEffect, useState } from "preact/hooks";
import { type ApiError, asApiError, get, type RequestOptions } from "../../api/client";
import type { SearchAnswer } from "../../api/types";
import { facetAddress, type SearchState, searchAddress } from "./address";
import { readFilter, without } from "./filters";

export interface Found {
  readonly collection: string;
  readonly answer: SearchAnswer;
  /** How many changes had been heard when this was asked. */
  readonly heard: number;
}

export interface Search {
  /** The last answer of this collection: stays while the next one is awaited or failed. */
  readonly found: Found | undefined;
  readonly error: ApiError | undefined;
  readonly pending: boolean;
  readonly again: () => void;
}

/** Ask what the state asks; a newer state cancels an older one's request. */
export function useSearch(state: SearchState, facets: readonly string[], heard: number): Search {
  const [attempt, setAttempt] = useState(0);
  const [found, setFound] = useState<Found>();
  const [settled, setSettled] = useState<{ readonly key: string; readonly error?: ApiError }>();
  const key = `${searchAddress(state, facets)} ${attempt}`;

  // The key says all that is asked.
  useEffect(() => {
    const aborter = new AbortController();
    search(state, facets, { signal: aborter.signal }).then(
      (answer) => {
        if (!aborter.signal.aborted) {
          setFound({ collection: state.collection, answer, heard });
          setSettled({ key });
        }
      },
      (thrown: unknown) => aborter.signal.aborted || setSettled({ key, error: asApiError(thrown) }),
    );
    return () => aborter.abort();
  }, [key]);

  return {
    found: found?.collection === state.collection ? found : undefined,
    error: settled?.key === key ? settled.error : undefined,
    pending: settled?.key !== key,
    again: () => setAttempt((before) => before + 1),
  };
}

/**
 * A field that is filtered is counted without its own filters: its facet shows what choosing another value would give.
 */
async function search(state: SearchState, facets: readonly string[], options: RequestOptions): Promise<SearchAnswer> {
  const filtered = new Set(state.filters.map((filter) => readFilter(filter).field));
  const [answer, ...others] = await Promise.all([
    get<SearchAnswer>(
      searchAddress(
        state,
        facets.filter((field) => !filtered.has(field)),
      ),
      options,
    ),
    ...facets
      .filter((field) => filtered.has(field))
      .map((field) => {
        const wider = { ...state, filters: without(state.filters, field) };
        return get<SearchAnswer>(facetAddress(wider, field), options);
      }),
  ]);
  return { ...answer, facets: Object.fromEntries([answer, ...others].flatMap(({ facets }) => Object.entries(facets))) };
}
