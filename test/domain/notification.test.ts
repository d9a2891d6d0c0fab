import { expect, test } from "bun:test";
import {
  chooseNotification,
  type NotificationKind,
  type NotificationSubscription,
} from "../../src/domain/notification.ts";

function subscriber(
  kinds: readonly NotificationKind[],
  targets: readonly string[] | null = null,
): NotificationSubscription {
  return { name: "chat", targets, kinds };
}

test.each([
  ["a failure", ["failed"], "failed", "succeeded", "failed"],
  ["a failure after a failure", ["failed"], "failed", "failed", "failed"],
  ["a success after a failure", ["recovered"], "succeeded", "failed", "recovered"],
  [
    "a success after a failure only as a recovery when it subscribes to both",
    ["succeeded", "recovered"],
    "succeeded",
    "failed",
    "recovered",
  ],
  [
    "a success after a failure as a success when it subscribes to successes only",
    ["succeeded"],
    "succeeded",
    "failed",
    "succeeded",
  ],
  ["a success", ["succeeded"], "succeeded", "succeeded", "succeeded"],
  ["the first success", ["succeeded", "recovered"], "succeeded", null, "succeeded"],
  ["an interruption", ["interrupted"], "interrupted", null, "interrupted"],
] as const)("chooseNotice notifies a subscriber of %s", (_what, on, state, before, news) => {
  expect(chooseNotification(subscriber(on), "blog", state, before)).toBe(news);
});

test.each([
  ["a success after a success when it subscribes to recoveries", ["recovered"], "succeeded", "succeeded"],
  ["a success when it subscribes to failures", ["failed"], "succeeded", "failed"],
  ["a queued deployment", ["started", "succeeded"], "queued", null],
  ["a superseded deployment", ["failed", "cancelled"], "superseded", null],
] as const)("chooseNotice does not notify a subscriber of %s", (_what, on, state, before) => {
  expect(chooseNotification(subscriber(on), "blog", state, before)).toBeNull();
});

test("chooseNotice notifies a subscriber of its own targets only", () => {
  expect(chooseNotification(subscriber(["failed"], ["blog"]), "blog", "failed", null)).toBe("failed");
  expect(chooseNotification(subscriber(["failed"], ["shop"]), "blog", "failed", null)).toBeNull();
});
