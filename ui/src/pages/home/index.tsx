import { useEffect } from "preact/hooks";
import { useResource } from "../../api/resource";
import { addressOf, getCollections, getDashboards, getStatus } from "../../api/routes";
import type { CollectionName, DashboardName, Status } from "../../api/types";
import { LinkButton } from "../../components/Button";
import { Command } from "../../components/Copy";
import { DataTable } from "../../components/DataTable";
import { Fresh } from "../../components/Fresh";
import { ChartIcon, JsonIcon } from "../../components/icons";
import { Panel } from "../../components/Panel";
import { Empty, Failure, Loading, Notice } from "../../components/State";
import { formatNumber } from "../../format";
import styles from "./home.module.css";
import { documentsOf, freshnessOf, troublesOf } from "./summary";

const EVERY_MS = 2000;

/** `/`: what there is, how fresh it is, and where to go next. */
export default function Home() {
  const status = useResource("status", getStatus, EVERY_MS);
  const collections = useResource("collections", getCollections);
  const dashboards = useResource("dashboards", getDashboards);
  const first = collections.data?.[0];
  const error = status.error ?? collections.error;
  const known = status.data && collections.data && { status: status.data, collections: collections.data };
  const reload = () => {
    status.reload();
    collections.reload();
  };
  useEffect(() => {
    document.title = "Dynalens";
  }, []);

  return (
    <>
      <h1 class={styles.heading}>Overview</h1>
      <div class={styles.page}>
        <Panel title="Collections" flush actions={<Json href={addressOf.status} />} stale={error !== undefined}>
          {error && known && <Notice look="bad">{error.message} What is shown is from before.</Notice>}
          {known && known.collections.length > 0 && <Collections {...known} />}
          {known?.collections.length === 0 && (
            <div class={styles.padded}>
              <Empty title="There is no collection yet" command="dynalens check">
                Name a table under `collections` in dynalens.yaml. This command then says whether everything is right.
              </Empty>
            </div>
          )}
          {!known && !error && (
            <div class={styles.padded}>
              <Loading what="the collections" />
            </div>
          )}
          {!known && error && (
            <div class={styles.padded}>
              <Failure what="The collections could not be read" error={error} retry={reload} />
            </div>
          )}
        </Panel>
        <Troubles status={status.data} />
        <div class={styles.two}>
          <Panel title="Dashboards" actions={<Json href={addressOf.dashboards} />}>
            {dashboards.error ? (
              <Failure what="The dashboards could not be read" error={dashboards.error} retry={dashboards.reload} />
            ) : (
              <Dashboards dashboards={dashboards.data} />
            )}
          </Panel>
          {first && (
            <Panel title="Where to go next">
              <Next collection={first} />
            </Panel>
          )}
        </div>
      </div>
    </>
  );
}

const searchPage = (collection: string) => `/search/${encodeURIComponent(collection)}`;

function Json({ href }: { href: string }) {
  return (
    <LinkButton
      look="quiet"
      {...{ href }}
      target="_blank"
      rel="noopener"
      title="The same as JSON"
      aria-label="The same as JSON"
    >
      <JsonIcon />
    </LinkButton>
  );
}

function Collections({ status, collections }: { status: Status; collections: CollectionName[] }) {
  return (
    <DataTable
      caption="Collections"
      columns={[
        { title: "Name", cell: ({ name }: CollectionName) => <a href={searchPage(name)}>{name}</a> },
        { title: "Table", cell: ({ table }) => table, minor: true },
        { title: "Documents", cell: ({ name }) => formatNumber(documentsOf(status, name)), numeric: true },
        { title: "Freshness", cell: ({ name }) => <Fresh {...freshnessOf(status, name)} /> },
        { title: "Metrics", cell: ({ metrics }) => formatNumber(metrics.length), numeric: true, minor: true },
      ]}
      rows={collections}
      rowKey={({ name }) => name}
    />
  );
}

function Troubles({ status }: { status: Status | undefined }) {
  const troubles = status ? troublesOf(status) : [];
  if (troubles.length === 0) return null;
  return (
    <Panel title="Needs a look">
      <ul class={styles.troubles}>
        {troubles.map(({ what, why, command }) => (
          <li key={what}>
            <p>{what}</p>
            <p class={styles.why}>{why}</p>
            {command && <Command text={command} />}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Dashboards({ dashboards }: { dashboards: DashboardName[] | undefined }) {
  if (!dashboards) return <Loading what="the dashboards" />;
  if (dashboards.length === 0) return <Empty title="No dashboards">Add `dashboards:` to dynalens.yaml.</Empty>;
  return (
    <ul class={styles.dashboards}>
      {dashboards.map(({ name, title }) => (
        <li key={name}>
          <a href={`/dashboards/${encodeURIComponent(name)}`} class={styles.link}>
            <ChartIcon />
            {title}
          </a>
        </li>
      ))}
    </ul>
  );
}

function Next({ collection: { name, metrics } }: { collection: CollectionName }) {
  return (
    <dl class={styles.next}>
      <dt>
        <a href={searchPage(name)}>Search any field</a>, or from a terminal
      </dt>
      <dd>
        <Command text={`dynalens search ${name} 'a word'`} />
      </dd>
      <dt>
        <a href={`/sql?query=${encodeURIComponent(`SELECT count() FROM ${name}`)}`}>Ask in SQL</a>, or
      </dt>
      <dd>
        <Command text={`dynalens sql 'SELECT count() FROM ${name}'`} />
      </dd>
      <dt>Follow it live in a program of yours</dt>
      <dd>
        <Command text={liveCommand(name, metrics[0])} />
      </dd>
    </dl>
  );
}

function liveCommand(collection: string, metric: string | undefined): string {
  const what = metric === undefined ? `collections=${collection}` : `metrics=${collection}.${metric}`;
  return `curl -N '${location.origin}/api/v1/live?${what}'`;
}
