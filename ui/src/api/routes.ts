/** The server's answers, by name. Addresses are shared with links to the JSON itself. */

import { address, get, type Parameters, type RequestOptions } from "./client";
import type { Collection, CollectionName, Dashboard, DashboardName, SearchAnswer, Status } from "./types";

const API = "/api/v1";

export const addressOf = {
  status: `${API}/status`,
  collections: `${API}/collections`,
  dashboards: `${API}/dashboards`,
  dashboard: (name: string) => `${API}/dashboards/${encodeURIComponent(name)}`,
  collection: (name: string) => `${API}/collections/${encodeURIComponent(name)}`,
  search: (collection: string, parameters: Parameters) =>
    address(`${API}/collections/${encodeURIComponent(collection)}/search`, parameters),
  /** A metric by its whole name, `donations.by_platform`. */
  metric: (metric: string) => {
    const dot = metric.indexOf(".");
    const [collection, name] = [metric.slice(0, dot), metric.slice(dot + 1)];
    return `${API}/collections/${encodeURIComponent(collection)}/metrics/${encodeURIComponent(name)}`;
  },
  live: (metrics: readonly string[], collections: readonly string[]) =>
    address(`${API}/live`, { metrics: metrics.join(","), collections: collections.join(","), fresh: true }),
};

export const getStatus = (options?: RequestOptions) => get<Status>(addressOf.status, options);

export const getCollections = async (options?: RequestOptions) =>
  (await get<{ collections: CollectionName[] }>(addressOf.collections, options)).collections;

export const getCollection = (name: string, options?: RequestOptions) =>
  get<Collection>(addressOf.collection(name), options);

export const getDashboards = async (options?: RequestOptions) =>
  (await get<{ dashboards: DashboardName[] }>(addressOf.dashboards, options)).dashboards;

export const getDashboard = (name: string, options?: RequestOptions) =>
  get<Dashboard>(addressOf.dashboard(name), options);

export const getSearch = (collection: string, parameters: Parameters, options?: RequestOptions) =>
  get<SearchAnswer>(addressOf.search(collection, parameters), options);
