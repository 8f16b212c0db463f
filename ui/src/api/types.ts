/** Names for what the server answers. The shapes come from its OpenAPI document. */

import type { Json, Numeric } from "./json";
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Status = Schemas["StatusAnswer"];
export type TargetStatus = Schemas["TargetStatus"];
export type Phase = TargetStatus["phase"];
export type CollectionName = Schemas["CollectionName"];
export type Collection = Schemas["CollectionAnswer"];
export type Field = Schemas["FieldAnswer"];

export type Document = { [attribute: string]: Json };

/** One match; `score` is null where the order is not by score. */
export interface Hit {
  id: string;
  score: Numeric | null;
  document: Document;
  highlight?: Record<string, string[]>;
}

export interface SearchAnswer {
  total: number;
  took_ms: number;
  hits: Hit[];
  facets: Record<string, { value: Json; count: number }[]>;
}

/** A group's values, exact; null where no item has a number. */
export type Values = Record<string, Numeric | null>;
export type GroupBy = Record<string, Json>;

// Panels are narrower here than in the OpenAPI document, which says of all kinds together what may be null.

export interface DashboardName {
  name: string;
  title: string;
}

export interface NumberPanel {
  show: "number";
  title: string;
  metric: string;
  value: string;
  unit: string | null;
  goal: Numeric | null;
}

export interface BarsPanel {
  show: "bars";
  title: string;
  metric: string;
  value: string;
  unit: string | null;
}

export interface LinePanel {
  show: "line";
  title: string;
  metric: string;
  value: string;
  unit: string | null;
  every_seconds: number;
}

export interface LatestPanel {
  show: "latest";
  title: string;
  collection: string;
  sort: string | null;
  fields: string[] | null;
  size: number | null;
}

export type DashboardPanel = NumberPanel | BarsPanel | LinePanel | LatestPanel;

export interface Dashboard extends DashboardName {
  panels: DashboardPanel[];
}
