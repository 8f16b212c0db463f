import { useId } from "preact/hooks";
import { own, writeJson } from "../../api/json";
import type { Hit } from "../../api/types";
import { LinkButton } from "../../components/Button";
import { Copy } from "../../components/Copy";
import { classes } from "../../components/classes";
import { JsonIcon } from "../../components/icons";
import { documentAddress } from "./address";
import { type Leaf, leavesOf, titleOf } from "./document";
import styles from "./HitRow.module.css";
import { Marked } from "./Marked";
import { scalarText } from "./scalar";

interface HitRowProps {
  readonly collection: string;
  readonly hit: Hit;
  readonly open: boolean;
  readonly onToggle: () => void;
  /** Ask for this value of this field. */
  readonly onFilter: (field: string, value: string) => void;
}

const SHOWN_CLOSED = 10;

/** One match: what names it, its fields, and opened its whole JSON. */
export function HitRow({ collection, hit, open, onToggle, onFilter }: HitRowProps) {
  const details = useId();
  const leaves = leavesOf(hit.document);
  const title = titleOf(leaves);
  const fields = leaves.filter(({ path }) => path !== title);
  const shown = open ? fields : briefly(fields, hit);
  return (
    <li class={styles.hit}>
      <button
        type="button"
        class={styles.head}
        data-hit
        aria-expanded={open}
        aria-controls={details}
        onClick={onToggle}
      >
        <span class={styles.title}>
          {title === undefined ? hit.id : <Values leaf={leaves.find(({ path }) => path === title)} hit={hit} />}
        </span>
        {title !== undefined && <span class={styles.id}>{hit.id}</span>}
      </button>
      <div id={details}>
        <dl class={open ? styles.table : styles.fields}>
          {shown.map((leaf) => (
            <div key={leaf.path}>
              <dt>{leaf.path}</dt>
              <dd>{open ? <Choices leaf={leaf} hit={hit} onFilter={onFilter} /> : <Values leaf={leaf} hit={hit} />}</dd>
            </div>
          ))}
          {fields.length > SHOWN_CLOSED && !open && (
            <div>
              <dt>… {fields.length} fields</dt>
            </div>
          )}
        </dl>
        {open && <Whole collection={collection} hit={hit} />}
      </div>
    </li>
  );
}

function Whole({ collection, hit }: { collection: string; hit: Hit }) {
  const json = writeJson(hit.document, 2);
  return (
    <div class={styles.whole}>
      <div class={styles.actions}>
        <Copy text={json} label="Copy JSON" labelled />
        <Copy text={hit.id} label="Copy id" labelled />
        <LinkButton look="quiet" href={documentAddress(collection, hit.id)} target="_blank" rel="noreferrer">
          <JsonIcon />
          Open as JSON
        </LinkButton>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys. */}
      <pre tabIndex={0}>{json}</pre>
    </div>
  );
}

function Values({ leaf, hit }: { leaf: Leaf | undefined; hit: Hit }) {
  return (
    <>
      {leaf?.values.map((value, index) => (
        <span key={index} class={classes(styles.value, value === null && styles.null)}>
          {index > 0 && ", "}
          <Marked text={scalarText(value)} passages={passagesOf(hit, leaf)} />
        </span>
      ))}
    </>
  );
}

/** The values of an opened hit, each of which can be asked for. */
function Choices({ leaf, hit, onFilter }: { leaf: Leaf; hit: Hit; onFilter: HitRowProps["onFilter"] }) {
  return (
    <>
      {leaf.values.map((value, index) => (
        <span key={index} class={styles.choice}>
          <span class={classes(styles.value, value === null && styles.null)}>
            <Marked text={scalarText(value)} passages={passagesOf(hit, leaf)} />
          </span>
          {value !== null && (
            <button
              type="button"
              class={styles.only}
              aria-label={`Only ${leaf.path}: ${scalarText(value)}`}
              onClick={() => onFilter(leaf.path, scalarText(value))}
            >
              only
            </button>
          )}
        </span>
      ))}
    </>
  );
}

const passagesOf = ({ highlight = {} }: Hit, { path }: Leaf): readonly string[] => own(highlight, path) ?? [];

/** The first fields but the id, which stands above, and those that matched wherever they are. */
function briefly(fields: readonly Leaf[], { id, highlight = {} }: Hit): readonly Leaf[] {
  const isMatched = ({ path }: Leaf) => Object.hasOwn(highlight, path);
  const others = fields.filter((leaf) => !isMatched(leaf) && !(leaf.values.length === 1 && leaf.values[0] === id));
  const room = Math.max(0, SHOWN_CLOSED - fields.filter(isMatched).length);
  const kept = new Set([...fields.filter(isMatched), ...others.slice(0, room)]);
  return fields.filter((leaf) => kept.has(leaf));
}
