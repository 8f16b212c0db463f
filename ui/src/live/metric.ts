/** A metric as it is now, folded from one snapshot and the changes after it. */

import { writeJson } from "../api/json";
import type { GroupBy, Values } from "../api/types";
import type { Change, Group, Snapshot } from "./events";

/** One moment of a metric; a new object whenever anything changed. */
export interface MetricState {
  groups: readonly Group[];
  /** Over all groups; null where the metric keeps none. */
  total: Values | null;
}

export class MetricFold {
  private groups = new Map<string, Group>();
  private total: Values | null = null;

  begin({ groups, total }: Snapshot): void {
    this.groups = new Map(groups.map((group) => [groupKey(group.group), group]));
    this.total = total;
  }

  hear({ group, values, total, exact }: Change): void {
    const key = groupKey(group);
    if (values === null) this.groups.delete(key);
    else this.groups.set(key, { group, values, ...(exact !== undefined && { exact }) });
    this.total = total;
  }

  state(): MetricState {
    return { groups: [...this.groups.values()], total: this.total };
  }
}

/** The same text for the same group; the server names a group's attributes in one order. */
export function groupKey(group: GroupBy): string {
  return writeJson(group);
}
