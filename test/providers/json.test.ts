import { expect, test } from "bun:test";
import { decodeJson } from "../../src/providers/json.ts";

test("JSON is taken to 200 levels of nesting and refused beyond, wherever the depth is", () => {
  const nested = (levels: number) => `[1,${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}]`;
  expect(decodeJson(nested(200), "the body")).toMatchObject({ ok: true });
  const reason = "the body is nested more than 200 levels deep";
  expect(decodeJson(nested(201), "the body")).toEqual({ ok: false, reason });
  expect(decodeJson(`{"a":{"b":${nested(199)}}}`, "the body")).toEqual({ ok: false, reason });
});

test("a bracket within text is no nesting", () => {
  expect(decodeJson(JSON.stringify("[".repeat(1000)), "the body")).toMatchObject({ ok: true });
});
