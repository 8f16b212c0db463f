/** The frame around every page: navigation, theme, routes. */

import { useState } from "preact/hooks";
import { ErrorBoundary, LocationProvider, lazy, Route, Router, useLocation } from "preact-iso";
import { type ApiError, asApiError } from "./api/client";
import { useResource } from "./api/resource";
import { getCollections, getDashboards } from "./api/routes";
import styles from "./app.module.css";
import { classes } from "./components/classes";
import { ChartIcon, MarkIcon, OverviewIcon, SearchIcon, SqlIcon } from "./components/icons";
import { Empty, Failure } from "./components/State";
import { ThemeSwitch } from "./theme";

const Home = lazy(() => import("./pages/home"));
const Dashboard = lazy(() => import("./pages/dashboard"));
const Search = lazy(() => import("./pages/search"));
const Sql = lazy(() => import("./pages/sql"));

export function App() {
  return (
    <LocationProvider>
      <Frame />
    </LocationProvider>
  );
}

function Frame() {
  const { query } = useLocation();
  if ("wall" in query) {
    return (
      <main class={styles.wall}>
        <Pages />
      </main>
    );
  }
  return (
    <div class={styles.frame}>
      <a class={styles.skip} href="#main">
        Skip to the content
      </a>
      <header class={styles.side}>
        <a class={styles.mark} href="/">
          <MarkIcon />
          Dynalens
        </a>
        <Navigation />
        <ThemeSwitch />
      </header>
      <main id="main" class={styles.main} tabIndex={-1}>
        <Pages />
      </main>
    </div>
  );
}

/** A server that was restarted may have other dashboards and collections. */
const LOOK_AGAIN_MS = 15_000;

function Navigation() {
  const dashboards = useResource("dashboards", getDashboards, LOOK_AGAIN_MS);
  const collections = useResource("collections", getCollections, LOOK_AGAIN_MS);
  const first = collections.data?.[0]?.name;
  return (
    <nav class={styles.nav} aria-label="Console">
      <ul class={styles.links}>
        <Item href="/" icon={<OverviewIcon />} label="Overview" />
        <Item
          href={first === undefined ? "/search" : `/search/${encodeURIComponent(first)}`}
          under="/search"
          icon={<SearchIcon />}
          label="Search"
        />
        <Item href="/sql" icon={<SqlIcon />} label="SQL" />
        {dashboards.data?.map(({ name, title }) => (
          <Item key={name} href={`/dashboards/${encodeURIComponent(name)}`} icon={<ChartIcon />} label={title} />
        ))}
      </ul>
    </nav>
  );
}

interface ItemProps {
  href: string;
  /** Current on every page below this address, too. */
  under?: string;
  icon: preact.ComponentChild;
  label: string;
}

function Item({ href, under, icon, label }: ItemProps) {
  const { path } = useLocation();
  const current = path === href || (under !== undefined && `${path}/`.startsWith(`${under}/`));
  return (
    <li>
      <a
        class={classes(styles.link, current && styles.current)}
        href={href}
        aria-current={current ? "page" : undefined}
      >
        {icon}
        <span class={styles.label} title={label}>
          {label}
        </span>
      </a>
    </li>
  );
}

function Pages() {
  const [error, setError] = useState<ApiError>();
  if (error) return <Failure what="This page could not be shown" error={error} retry={() => location.reload()} />;
  return (
    <ErrorBoundary onError={(thrown) => setError(asApiError(thrown))}>
      <Router>
        <Route path="/" component={Home} />
        <Route path="/dashboards/:name" component={Dashboard} />
        <Route path="/search/:collection?" component={Search} />
        <Route path="/sql" component={Sql} />
        <Route default component={Missing} />
      </Router>
    </ErrorBoundary>
  );
}

function Missing() {
  return (
    <Empty title="There is no such page">
      <a href="/">The overview</a> lists what there is.
    </Empty>
  );
}
