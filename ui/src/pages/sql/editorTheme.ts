/** The editor in the console's colours: the tokens change with the theme, and the editor with them. */

import { HighlightStyle } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

export const theme = EditorView.theme({
  "&": { height: "100%", color: "var(--text)", fontSize: "var(--text-body)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--font-code)", lineHeight: "1.43" },
  ".cm-content": { caretColor: "var(--accent)", padding: "var(--space-3) 0" },
  ".cm-cursor": { borderLeftColor: "var(--accent)" },
  ".cm-gutters": { border: "0", background: "transparent", color: "var(--text-muted)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
    background: "var(--flash)",
  },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { background: "var(--accent-soft)" },
  ".cm-nonmatchingBracket, &.cm-focused .cm-nonmatchingBracket": { background: "var(--bad-soft)" },
  ".cm-placeholder": { color: "var(--text-muted)" },
  ".cm-lintRange-error": {
    backgroundColor: "var(--bad-soft)",
    backgroundImage: "none",
    textDecoration: "underline wavy var(--bad)",
  },
  ".cm-tooltip": {
    border: "1px solid var(--line)",
    borderRadius: "var(--radius)",
    background: "var(--surface)",
    boxShadow: "var(--shadow-raised)",
    overflow: "hidden",
  },
  ".cm-tooltip-autocomplete > ul": { fontFamily: "var(--font-code)", maxHeight: "14rem" },
  ".cm-tooltip-autocomplete > ul > li": { padding: "var(--space-1) var(--space-3)" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": {
    background: "var(--accent-soft)",
    color: "var(--accent)",
  },
  ".cm-completionDetail": { color: "var(--text-muted)", fontStyle: "normal" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--bad)", maxWidth: "40rem" },
});

export const highlighting = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--accent)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--late)" },
  { tag: tags.typeName, color: "var(--accent)" },
  { tag: tags.comment, color: "var(--text-muted)", fontStyle: "italic" },
]);
