import { useEffect, useRef } from "preact/hooks";
import { useLocation } from "preact-iso";
import { isWorthRepeating } from "../../api/repeating";
import { useResource } from "../../api/resource";
import { LinkButton } from "../../components/Button";
import { Chip } from "../../components/Chip";
import { Copy } from "../../components/Copy";
import { Select } from "../../components/Field";
import { JsonIcon } from "../../components/icons";
import { Failure } from "../../components/State";
import { FIRST_SIZE, moreThan, type SearchState, searchAddress, writeAddress } from "./address";
import { FacetList } from "./FacetList";
import { readFilter, toggled } from "./filters";
import { getOutline } from "./outline";
import { QueryField } from "./QueryField";
import { Results } from "./Results";
import styles from "./search.module.css";
import { sortOptions } from "./sorting";
import { useNews } from "./useNews";
import { useSearch } from "./useSearch";

interface SearchViewProps {
  readonly state: SearchState;
  readonly collections: readonly string[];
}

/** One collection's search: the box, what narrows it, and the hits. */
export function SearchView({ state, collections }: SearchViewProps) {
  const { route } = useLocation();
  const outline = useResource(state.collection, (options) => getOutline(state.collection, options));
  const fields = outline.data?.facets ?? [];
  const news = useNews(state.collection);
  const search = useSearch(state, fields, news.changes);
  useEffect(() => {
    document.title = `${state.q === "" ? "Search" : state.q} · ${state.collection} · Dynalens`;
  }, [state.q, state.collection]);
  const results = useRef<HTMLDivElement>(null);

  const go = (change: Partial<SearchState>, replace = false) =>
    route(writeAddress({ ...state, size: FIRST_SIZE, ...change }), replace);
  const toggle = (field: string, value: string) => go({ filters: toggled(state.filters, field, value) });
  const total = search.found?.answer.total ?? 0;
  const more = moreThan(state.size, total);

  return (
    <div class={styles.page}>
      <h1 class="unseen">Search {state.collection}</h1>
      <search class={styles.bar}>
        <Select
          label="Collection"
          labelUnseen
          value={state.collection}
          options={[...new Set([...collections, state.collection])].map((name) => ({ value: name, label: name }))}
          onChange={(event) => route(writeAddress({ ...EMPTY, collection: event.currentTarget.value, q: state.q }))}
        />
        <QueryField
          collection={state.collection}
          q={state.q}
          onQuery={(q, replace) => go({ q }, replace)}
          onDown={() => results.current?.querySelector<HTMLElement>("[data-hit]")?.focus()}
        />
        <Select
          label="Order"
          labelUnseen
          value={state.sort}
          options={sortOptions(outline.data?.sortable ?? [], state.sort)}
          onChange={(event) => go({ sort: event.currentTarget.value })}
        />
      </search>
      {state.filters.length > 0 && <Filters filters={state.filters} onChange={(filters) => go({ filters })} />}
      {search.error !== undefined && (
        <Failure
          what="This search has no answer"
          error={search.error}
          {...(isWorthRepeating(search.error) && { retry: search.again })}
        />
      )}
      <div class={styles.columns}>
        <aside class={styles.facets} aria-label="Narrow down">
          <FacetList
            fields={fields}
            facets={search.found?.answer.facets ?? {}}
            filters={state.filters}
            onToggle={toggle}
          />
        </aside>
        <Results
          listRef={results}
          state={state}
          search={search}
          news={news}
          onFilter={toggle}
          onMore={more === undefined ? undefined : () => go({ size: more }, true)}
          onReset={() => go({ q: "", filters: [] })}
          actions={<Twins address={searchAddress(state, fields)} />}
        />
      </div>
    </div>
  );
}

const EMPTY: SearchState = { collection: "", q: "", filters: [], sort: "", size: FIRST_SIZE };

function Filters({
  filters,
  onChange,
}: {
  filters: readonly string[];
  onChange: (filters: readonly string[]) => void;
}) {
  return (
    <ul class={styles.chips} aria-label="Filters">
      {filters.map((filter) => (
        <li key={filter}>
          <Chip
            removeLabel={`Remove the filter ${filter}`}
            onRemove={() => onChange(filters.filter((other) => other !== filter))}
          >
            <FilterText filter={filter} />
          </Chip>
        </li>
      ))}
    </ul>
  );
}

function FilterText({ filter }: { filter: string }) {
  const { field, value } = readFilter(filter);
  return (
    <>
      {field !== "" && `${field}: `}
      <strong>{value}</strong>
    </>
  );
}

/** The same search for machines. */
function Twins({ address }: { address: string }) {
  return (
    <>
      <LinkButton look="quiet" href={address} target="_blank" rel="noreferrer" title="This search as JSON">
        <JsonIcon />
        JSON
      </LinkButton>
      <Copy text={`curl '${location.origin}${address.replaceAll("'", "%27")}'`} label="Copy as curl" labelled />
    </>
  );
}
