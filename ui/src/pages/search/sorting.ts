/** The orders that hits can be in, as the API's `sort` writes them. */

import { escapedField } from "./address";

export interface SortOption {
  readonly value: string;
  readonly label: string;
}

const BEST: SortOption = { value: "", label: "Best first" };

/** Each field both ways; an order of the address that is none of these stays to be seen. */
export function sortOptions(fields: readonly string[], current: string): readonly SortOption[] {
  const options = [
    BEST,
    ...fields.flatMap((field) => [
      { value: escapedField(field), label: `${field} ↑` },
      { value: `-${escapedField(field)}`, label: `${field} ↓` },
    ]),
  ];
  return options.some(({ value }) => value === current) ? options : [...options, { value: current, label: current }];
}
