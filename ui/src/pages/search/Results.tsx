import type { ComponentChildren, RefObject } from "preact";
import { useState } from "preact/hooks";
import { Button } from "../../components/Button";
import { classes } from "../../components/classes";
import { Fresh } from "../../components/Fresh";
import { Empty, Loading } from "../../components/State";
import { formatNumber } from "../../format";
import type { SearchState } from "./address";
import { HitRow } from "./HitRow";
import styles from "./search.module.css";
import type { News } from "./useNews";
import type { Search } from "./useSearch";

interface ResultsProps {
  readonly listRef: RefObject<HTMLDivElement | null>;
  readonly state: SearchState;
  readonly search: Search;
  readonly news: News;
  readonly onFilter: (field: string, value: string) => void;
  /** Show more of the matches; undefined where there are no more, or too many. */
  readonly onMore: (() => void) | undefined;
  readonly onReset: () => void;
  readonly actions: ComponentChildren;
}

/** The hits, how many there are in all, and how to see more of them. */
export function Results({ listRef, state, search, news, onFilter, onMore, onReset, actions }: ResultsProps) {
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const { found, pending, error } = search;
  const toggle = (id: string) => setOpened((ids) => (ids.has(id) ? without(ids, id) : new Set([...ids, id])));

  // A live dot beside hits that are older would not be true.
  const isCurrent = found === undefined || news.changes <= found.heard;
  if (found === undefined && error !== undefined) {
    return null; // The error says it all.
  }

  const onKeyDown = (event: KeyboardEvent) => {
    if (moveFocus(event)) {
      event.preventDefault();
    }
  };

  return (
    <section class={styles.results} aria-label="Hits" aria-busy={pending}>
      <div class={styles.summary}>
        <p role="status">{found && <Summary total={found.answer.total} tookMs={found.answer.took_ms} />}</p>
        {news.fresh && (isCurrent || news.fresh.level !== "live") && <Fresh {...news.fresh} />}
        {found !== undefined && !isCurrent && <Changed changes={news.changes - found.heard} onShow={search.again} />}
        <div class={styles.actions}>{actions}</div>
      </div>
      {found === undefined && <Loading what="the hits" lines={8} />}
      {found?.answer.total === 0 && <NoHit state={state} onReset={onReset} />}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: keys move between the buttons within. */}
      <div ref={listRef} class={classes((pending || error !== undefined) && styles.old)} onKeyDown={onKeyDown}>
        <ol>
          {found?.answer.hits.map((hit) => (
            <HitRow
              key={hit.id}
              collection={found.collection}
              hit={hit}
              open={opened.has(hit.id)}
              onToggle={() => toggle(hit.id)}
              onFilter={onFilter}
            />
          ))}
        </ol>
      </div>
      {found !== undefined && <End shown={found.answer.hits.length} total={found.answer.total} onMore={onMore} />}
    </section>
  );
}

function Summary({ total, tookMs }: { total: number; tookMs: number }) {
  return (
    <>
      <strong>{formatNumber(total)}</strong> {total === 1 ? "document" : "documents"}
      <span class={styles.took}> in {tookMs} ms</span>
    </>
  );
}

/** Hits do not move under the reader's eyes: newer ones come when asked for. */
function Changed({ changes, onShow }: { changes: number; onShow: () => void }) {
  return (
    <Button look="quiet" onClick={onShow}>
      {changes === 1 ? "1 change since" : `${formatNumber(changes)} changes since`} · Show
    </Button>
  );
}

function NoHit({ state, onReset }: { state: SearchState; onReset: () => void }) {
  const asksNothing = state.q.trim() === "" && state.filters.length === 0;
  if (asksNothing) {
    return (
      <Empty title={`${state.collection} has no documents yet`} command="dynalens status --watch">
        They appear here as soon as they are copied. This command shows how far that is.
      </Empty>
    );
  }
  return (
    <>
      <Empty title={`Nothing in ${state.collection} matches`}>
        {state.filters.length > 0
          ? "Take away a filter, or ask for fewer words."
          : "Ask for fewer words. Typos are tolerated, half words are found at the end of the question."}
      </Empty>
      <Button onClick={onReset}>Show all documents</Button>
    </>
  );
}

function End({ shown, total, onMore }: { shown: number; total: number; onMore: (() => void) | undefined }) {
  if (shown >= total) {
    return null;
  }
  return (
    <p class={styles.end}>
      <span>
        {formatNumber(shown)} of {formatNumber(total)} shown
      </span>
      {onMore === undefined ? (
        <span>Narrow the search to see the others.</span>
      ) : (
        <Button onClick={onMore}>More</Button>
      )}
    </p>
  );
}

/** Move the focus between the hits; from the first one up to the search box. Whether the key was one of those. */
function moveFocus(event: KeyboardEvent): boolean {
  const hits = [...document.querySelectorAll<HTMLElement>("[data-hit]")];
  const at = hits.indexOf(event.target as HTMLElement);
  const steps: Readonly<Record<string, number>> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: hits.length - 1 };
  const to = steps[event.key];
  if (at < 0 || to === undefined) {
    return false;
  }
  const target = to < 0 ? document.querySelector<HTMLElement>("input[type=search]") : hits[to];
  target?.focus();
  return true;
}

function without(ids: ReadonlySet<string>, id: string): ReadonlySet<string> {
  return new Set([...ids].filter((other) => other !== id));
}
