/** Names of collections and columns as SQL writes them. */

const PLAIN = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Words that a query could read as its own grammar where a name stands. */
const RESERVED = new Set(
  `all and any array as asc between by case cast cross date desc distinct else end exists false final first format from
  full global group having if in inner interval into is join key left like limit not null nulls offset on or order outer
  partition prewhere right rows sample select semi set settings table then timestamp to true union using values when
  where window with`.split(/\s+/),
);

export function quoted(name: string): string {
  const isPlain = PLAIN.test(name) && !RESERVED.has(name.toLowerCase());
  return isPlain ? name : `\`${name.replace(/[\\`]/g, "\\$&")}\``;
}
