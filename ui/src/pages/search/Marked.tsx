import { markedText } from "./highlight";
import styles from "./Marked.module.css";

/** A text with what matched marked in it. */
export function Marked({ text, passages }: { text: string; passages: readonly string[] }) {
  return (
    <>
      {markedText(text, passages).map((piece, index) =>
        piece.marked ? (
          <mark key={index} class={styles.mark}>
            {piece.text}
          </mark>
        ) : (
          piece.text
        ),
      )}
    </>
  );
}
