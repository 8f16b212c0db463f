import { expect, test } from "vitest";
import { isNested, parseJson, writeJson } from "../src/api/json";

test.each([
  "12345678901234567890",
  "0.1234567890123456789",
  "9007199254740993",
  "123456789.12345678",
  "1e400",
  "1E-400",
  "-98765432109876543210.5",
])("%s keeps every digit", (number) => {
  expect(writeJson(parseJson(`{"a": [${number}]}`))).toBe(`{"a":[${number}]}`);
});

test.each(["0.1", "-3", "123456789012345", "1e21", "12345678.1234567"])("%s is an ordinary number", (number) => {
  expect(parseJson(number)).toBe(Number(number));
});

test("digits within texts change nothing", () => {
  const json = '{"id":"12345678901234567890","n":1,"t":"1e999"}';
  expect(writeJson(parseJson(json))).toBe(json);
});

test("lists and maps are nested, numbers that kept their text are not", () => {
  expect(isNested(parseJson("[1]"))).toBe(true);
  expect(isNested(parseJson("{}"))).toBe(true);
  expect(isNested(parseJson("12345678901234567890"))).toBe(false);
  expect(isNested(null)).toBe(false);
});
