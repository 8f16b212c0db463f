import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { lintKeymap, setDiagnostics } from "@codemirror/lint";
import { Compartment, EditorState, type Extension, Prec } from "@codemirror/state";
import { drawSelection, EditorView, keymap, lineNumbers, placeholder } from "@codemirror/view";
import type { RefObject } from "preact";
import { useEffect, useImperativeHandle, useRef } from "preact/hooks";
import { speaking } from "./completion";
import styles from "./Editor.module.css";
import { highlighting, theme } from "./editorTheme";
import type { Place } from "./position";
import type { Table } from "./schema";

export interface EditorHandle {
  /** Put a text where the cursor is, in place of what is selected. */
  insert(text: string): void;
  /** Put a text in place of all that is there. */
  replace(text: string): void;
}

export interface Mistake {
  readonly place: Place;
  readonly message: string;
}

interface EditorProps {
  readonly handle: RefObject<EditorHandle | null>;
  /** What it begins with. Later texts are put in by the handle: told by a property, an older one could undo what was typed since. */
  readonly initial: string;
  readonly tables: readonly Table[];
  /** Where the last query was wrong. */
  readonly mistake: Mistake | undefined;
  readonly onText: (text: string) => void;
  readonly onRun: (text: string) => void;
}

/** Where a query is written. Tab leaves it, as it leaves every field. */
export function Editor({ handle, initial, tables, mistake, onText, onRun }: EditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const language = useRef(new Compartment());
  const callbacks = useRef({ onText, onRun });
  callbacks.current = { onText, onRun };

  // The editor is made once; later changes are told to it below.
  useEffect(() => {
    if (host.current === null) {
      return;
    }
    const created = new EditorView({
      ...inShadow(host.current),
      state: EditorState.create({ doc: initial, extensions: extensions(callbacks, language.current) }),
    });
    view.current = created;
    created.focus();
    return () => created.destroy();
  }, []);

  useEffect(() => {
    view.current?.dispatch({ effects: language.current.reconfigure(speaking(tables)) });
  }, [tables]);

  useEffect(() => {
    if (view.current !== undefined) {
      show(view.current, mistake);
    }
  }, [mistake]);

  useImperativeHandle(handle, () => ({
    insert: (inserted) => {
      view.current?.dispatch(view.current.state.replaceSelection(inserted));
      view.current?.focus();
    },
    replace: (text) => {
      const { current } = view;
      if (current !== undefined && current.state.doc.toString() !== text) {
        current.dispatch({ changes: { from: 0, to: current.state.doc.length, insert: text } });
      }
    },
  }));

  return <div ref={host} class={styles.editor} />;
}

/**
 * The editor brings its style rules along. In a shadow tree it adopts them as style sheet objects; in the page it would
 * add a style element, which the server's content security policy forbids.
 */
function inShadow(host: HTMLElement): { root: ShadowRoot; parent: ShadowRoot } {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  return { root, parent: root };
}

type Callbacks = RefObject<Pick<EditorProps, "onText" | "onRun">>;

function extensions(callbacks: Callbacks, language: Compartment): Extension {
  const run = (view: EditorView) => {
    callbacks.current?.onRun(view.state.doc.toString());
    return true;
  };
  return [
    Prec.highest(keymap.of([{ key: "Mod-Enter", run }])),
    lineNumbers(),
    history(),
    drawSelection(),
    bracketMatching(),
    closeBrackets(),
    autocompletion({ icons: false }),
    language.of(speaking([])),
    syntaxHighlighting(highlighting),
    theme,
    placeholder("SELECT …"),
    EditorView.lineWrapping,
    EditorView.contentAttributes.of({ "aria-label": "SQL query" }),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) {
        callbacks.current?.onText(update.state.doc.toString());
      }
    }),
    keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
  ];
}

function show(view: EditorView, mistake: Mistake | undefined): void {
  const end = view.state.doc.length;
  const marks =
    mistake !== undefined && mistake.place.to <= end
      ? [{ ...mistake.place, severity: "error" as const, message: mistake.message }]
      : [];
  view.dispatch(setDiagnostics(view.state, marks));
  const [mark] = marks;
  if (mark !== undefined) {
    view.dispatch({ selection: { anchor: mark.from }, scrollIntoView: true });
  }
}
