/** Highlights come as text with `<em>` around what matched and all else escaped as HTML: read here, never set as HTML. */

export interface Piece {
  readonly text: string;
  readonly marked: boolean;
}

/** Python's `html.escape` writes these five. */
const ENTITIES: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#x27;": "'",
};

export function readPassage(passage: string): readonly Piece[] {
  return passage
    .split(/(<em>.*?<\/em>)/s)
    .filter((part) => part !== "")
    .map((part) => {
      const inside = /^<em>(.*)<\/em>$/s.exec(part)?.[1];
      return { text: unescaped(inside ?? part), marked: inside !== undefined };
    });
}

export function plainText(pieces: readonly Piece[]): string {
  return pieces.map((piece) => piece.text).join("");
}

/**
 * A value's text with its marks. A passage that is the whole text takes its place; shorter ones are shown with what lies
 * between left out; a text that no passage is a part of stays as it is.
 */
export function markedText(text: string, passages: readonly string[]): readonly Piece[] {
  const read = passages.map(readPassage).filter((pieces) => text.includes(plainText(pieces)));
  const whole = read.find((pieces) => plainText(pieces) === text);
  if (whole !== undefined) {
    return whole;
  }
  if (read.length === 0) {
    return [{ text, marked: false }];
  }
  const gap = { text: " … ", marked: false };
  return read.flatMap((pieces, index) => (index === 0 ? pieces : [gap, ...pieces]));
}

function unescaped(text: string): string {
  return text.replace(/&(?:amp|lt|gt|quot|#x27);/g, (entity) => ENTITIES[entity] ?? entity);
}
