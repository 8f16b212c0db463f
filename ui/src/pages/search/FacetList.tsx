import { own } from "../../api/json";
import { formatNumber, shorten } from "../../format";
import styles from "./FacetList.module.css";
import type { Facets } from "./facets";
import { asksFor } from "./filters";
import { scalarText } from "./scalar";

interface FacetListProps {
  readonly fields: readonly string[];
  readonly facets: Facets;
  readonly filters: readonly string[];
  readonly onToggle: (field: string, value: string) => void;
}

/** The values of each field with how many matches have them; pressing one asks for it, or no more. */
export function FacetList({ fields, facets, filters, onToggle }: FacetListProps) {
  return (
    <>
      {fields
        .filter((field) => valuesOf(facets, filters, field).length > 0)
        .map((field) => (
          <fieldset key={field} class={styles.facet}>
            <legend>{field}</legend>
            <ul>
              {valuesOf(facets, filters, field).map(({ value, count }) => (
                <li key={value}>
                  <button
                    type="button"
                    class={styles.value}
                    aria-pressed={asksFor(filters, field, value)}
                    onClick={() => onToggle(field, value)}
                  >
                    <span class={styles.name} title={shorten(value)}>
                      {value.trim() === "" ? "(empty)" : shorten(value)}
                    </span>
                    <span class={styles.count}>{formatNumber(count)}</span>
                  </button>
                </li>
              ))}
            </ul>
          </fieldset>
        ))}
    </>
  );
}

interface Row {
  readonly value: string;
  readonly count: number;
}

function valuesOf(facets: Facets, filters: readonly string[], field: string): readonly Row[] {
  const counted = (own(facets, field) ?? []).map(({ value, count }) => ({ value: scalarText(value), count }));
  return counted.filter(({ value, count }) => count > 0 || asksFor(filters, field, value));
}
