import { shorten } from "../../format";
import { markedText } from "./highlight";
import styles from "./Marked.module.css";

/** A text with what matched marked in it; the beginning of a long one, whose whole is in the JSON. */
export function Marked({ text, passages }: { text: string; passages: readonly string[] }) {
  return (
    <>
      {markedText(text, passages).map((piece, index) =>
        piece.marked ? (
          <mark key={index} class={styles.mark}>
            {shorten(piece.text)}
          </mark>
        ) : (
          shorten(piece.text)
        ),
      )}
    </>
  );
}
