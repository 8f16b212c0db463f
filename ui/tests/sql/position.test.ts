import { describe, expect, test } from "vitest";
import { lineAndColumn, placeOf } from "../../src/pages/sql/position";

/** The part of a query that a message points at; the messages are the server's own. */
const pointed = (message: string, query: string) => {
  const place = placeOf(message, query);
  return place && query.slice(place.from, place.to);
};

describe("an error points", () => {
  test("at a token by its position", () => {
    const message = "Syntax error: failed at position 34 (ticketId) (line 3, col 6): ticketId > 1 2. (SYNTAX_ERROR)";
    const query = "SELECT subject\nFROM tickets\nWHER ticketId > 1 2";
    expect(pointed(message, query)).toBe("ticketId");
  });

  test("by bytes, where signs take several", () => {
    const message = "Syntax error: failed at position 23 (1): 1. (SYNTAX_ERROR)";
    expect(placeOf(message, "SELECT '😀' AS a, 1 1")).toEqual({ from: 20, to: 21 });
  });

  test("at the bracket that is never closed", () => {
    const message =
      "Syntax error: failed at position 10 (end of query): (1. Unmatched parentheses: '(' at position 8 is never closed.";
    expect(placeOf(message, "SELECT (1")).toEqual({ from: 7, to: 8 });
  });

  test("at the last sign, where the query ends too early", () => {
    expect(pointed("Syntax error: failed at position 14 (end of query): .", "SELECT 1 AND\n")).toBe("D");
  });

  test("at a string that is never closed", () => {
    const message =
      "Single quoted string is not closed: Syntax error: failed at position 8 ('abc): 'abc. . (SYNTAX_ERROR)";
    expect(pointed(message, "SELECT 'abc")).toBe("'abc");
  });

  test.each([
    [
      "Unknown expression identifier `tittle`. In scope SELECT tittle FROM t.",
      "SELECT tittles, tittle FROM t",
      "tittle",
    ],
    ["Identifier 't.nope' cannot be resolved from table with name t.", "SELECT 1 FROM x t WHERE t.nope", "t.nope"],
    ["Column 'dynalens.tickets.subject' is not under aggregate function", "SELECT subject, count()", "subject"],
    ["The function hostName is not allowed in a query.", "SELECT hostName()", "hostName"],
    ["The table function numbers is not open to queries.", "SELECT * FROM numbers(1)", "numbers"],
    ["There is no collection ticket.", "SELECT * FROM tickets JOIN ticket", "ticket"],
  ])("at the name in: %s", (message, query, name) => {
    const place = placeOf(message, query);
    expect(pointed(message, query)).toBe(name);
    expect(query.charAt(place?.to ?? 0)).not.toMatch(/\w/);
  });

  test("nowhere, where it speaks of no place", () => {
    expect(placeOf("The query passed the limit of 10 seconds.", "SELECT 1")).toBeUndefined();
    expect(placeOf("Unknown expression identifier `a`.", "SELECT b")).toBeUndefined();
  });
});

test("lines and columns are counted from 1", () => {
  expect(lineAndColumn("ab\ncd", 0)).toEqual([1, 1]);
  expect(lineAndColumn("ab\ncd", 4)).toEqual([2, 2]);
});
