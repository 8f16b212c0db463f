import { useEffect, useRef, useState } from "preact/hooks";
import { Field } from "../../components/Field";
import { isTyping } from "../../components/shortcuts";

const PAUSE_MS = 120;

interface QueryFieldProps {
  readonly collection: string;
  /** What the address says. */
  readonly q: string;
  /** `replace`: the same bout of typing goes on, and makes no new entry of the history. */
  readonly onQuery: (q: string, replace: boolean) => void;
  readonly onDown: () => void;
}

/** The search box: asks while one types, at each short pause. */
export function QueryField({ collection, q, onQuery, onDown }: QueryFieldProps) {
  const box = useRef<HTMLInputElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const asked = useRef<string[]>([]);
  const bout = useRef(false);
  const [text, setText] = useState(q);

  // Back, forward and links change the address without the box; what was asked from here arrives later, and is known.
  useEffect(() => {
    const own = asked.current.indexOf(q);
    if (own >= 0) {
      asked.current.splice(0, own + 1);
    } else {
      clearTimeout(timer.current);
      bout.current = false;
      setText(q);
    }
  }, [q]);
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key === "/" && !isTyping(event)) {
        event.preventDefault();
        box.current?.focus();
        box.current?.select();
      }
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, []);

  const ask = (wanted: string) => {
    clearTimeout(timer.current);
    if (wanted !== (asked.current.at(-1) ?? q)) {
      asked.current.push(wanted);
      onQuery(wanted, bout.current);
      bout.current = true;
    }
  };

  const type = (wanted: string) => {
    setText(wanted);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => ask(wanted), PAUSE_MS);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter") {
      ask(text);
      bout.current = false;
    } else if (event.key === "Escape" && text !== "") {
      event.preventDefault();
      setText("");
      ask("");
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      onDown();
    }
  };

  return (
    <Field
      inputRef={box}
      label={`Search ${collection}`}
      labelUnseen
      type="search"
      placeholder={`Search ${collection} by any field, press / to start`}
      autocomplete="off"
      autocapitalize="off"
      spellcheck={false}
      aria-keyshortcuts="/"
      value={text}
      onInput={(event) => type(event.currentTarget.value)}
      onKeyDown={onKeyDown}
      onBlur={() => {
        ask(text); // What is pressed next must not find an older question.
        bout.current = false;
      }}
    />
  );
}
