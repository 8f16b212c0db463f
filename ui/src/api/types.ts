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

export type DashboardName = Schemas["DashboardName"];
export type BarsPanel = Schemas["BarsPanel"];
export type LinePanel = Schemas["LinePanel"];
export type LatestPanel = Schemas["LatestPanel"];
/** The goal is a number as any other: exact. */
export type NumberPanel = Omit<Schemas["NumberPanel"], "goal"> & { goal: Numeric | null };

export type DashboardPanel = NumberPanel | BarsPanel | LinePanel | LatestPanel;

export interface Dashboard extends DashboardName {
  panels: DashboardPanel[];
}
