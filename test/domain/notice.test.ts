import { expect, test } from "bun:test";
import { chooseNotice, type News, type Subscriber } from "../../src/domain/notice.ts";

function subscriber(on: readonly News[], targets: readonly string[] | null = null): Subscriber {
  return { name: "chat", targets, on };
}

test.each([
  ["a failure", ["failed"], "failed", "succeeded", "failed"],
  ["a failure after a failure", ["failed"], "failed", "failed", "failed"],
  ["a success after a failure", ["recovered"], "succeeded", "failed", "recovered"],
  [
    "a success after a failure once, though it wants both",
    ["succeeded", "recovered"],
    "succeeded",
    "failed",
    "recovered",
  ],
  [
    "a success after a failure as a success, where it asked for that alone",
    ["succeeded"],
    "succeeded",
    "failed",
    "succeeded",
  ],
  ["a success", ["succeeded"], "succeeded", "succeeded", "succeeded"],
  ["the first success", ["succeeded", "recovered"], "succeeded", null, "succeeded"],
  ["an interruption", ["interrupted"], "interrupted", null, "interrupted"],
] as const)("a subscriber is told of %s", (_what, on, state, before, news) => {
  expect(chooseNotice(subscriber(on), "blog", state, before)).toBe(news);
});

test.each([
  ["a success after a success, when it waits for a recovery", ["recovered"], "succeeded", "succeeded"],
  ["a success, when it wants failures", ["failed"], "succeeded", "failed"],
  ["one that waits", ["started", "succeeded"], "queued", null],
  ["one that was superseded", ["failed", "cancelled"], "superseded", null],
] as const)("a subscriber is not told of %s", (_what, on, state, before) => {
  expect(chooseNotice(subscriber(on), "blog", state, before)).toBeNull();
});

test("a subscriber is told of its own targets alone", () => {
  expect(chooseNotice(subscriber(["failed"], ["blog"]), "blog", "failed", null)).toBe("failed");
  expect(chooseNotice(subscriber(["failed"], ["shop"]), "blog", "failed", null)).toBeNull();
});
