import { expect, test } from "vitest";
import { markedText, readPassage } from "../../src/pages/search/highlight";

const plain = (text: string) => ({ text, marked: false });
const marked = (text: string) => ({ text, marked: true });

test("marks are read and the rest is unescaped, so that nothing is ever set as HTML", () => {
  expect(readPassage("a &lt;b&gt; <em>R&amp;D</em> &quot;it&#x27;s&quot;")).toEqual([
    plain("a <b> "),
    marked("R&D"),
    plain(` "it's"`),
  ]);
});

test("what was escaped twice is unescaped once", () => {
  expect(readPassage("&amp;lt;em&amp;gt;")).toEqual([plain("&lt;em&gt;")]);
});

test("a tag of the document itself is text", () => {
  expect(readPassage("&lt;em&gt;x&lt;/em&gt; <em>x</em>")).toEqual([plain("<em>x</em> "), marked("x")]);
});

test("a passage that is the whole text takes its place", () => {
  expect(markedText("Red boots", ["Red <em>boots</em>"])).toEqual([plain("Red "), marked("boots")]);
});

test("passages of a long text are shown with gaps", () => {
  expect(markedText("one two three four", ["<em>one</em> two", "<em>four</em>"])).toEqual([
    marked("one"),
    plain(" two"),
    plain(" … "),
    marked("four"),
  ]);
});

test("a text that no passage is of stays as it is", () => {
  expect(markedText("new", ["<em>winter</em>"])).toEqual([plain("new")]);
});
