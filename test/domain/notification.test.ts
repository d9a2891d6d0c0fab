import { expect, test } from "bun:test";
import type { DeploymentState } from "../../src/domain/deployment.ts";
import {
  chooseNotification,
  type NotificationKind,
  type NotificationSubscription,
} from "../../src/domain/notification.ts";

function subscriptionOf(
  kinds: readonly NotificationKind[],
  targets: readonly string[] | null = null,
): NotificationSubscription {
  return { name: "chat", targets, kinds };
}

function ended(state: DeploymentState | null, isSameFailure = false) {
  return state === null ? null : { state, isSameFailure };
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
  ["a start", ["started", "failed"], "running", "failed", "started"],
] as const)("chooseNotification notifies the channel of %s", (_what, kinds, state, before, kind) => {
  expect(chooseNotification(subscriptionOf(kinds), "blog", state, ended(before))).toBe(kind);
});

test.each([
  ["a success after a success when it subscribes to recoveries", ["recovered"], "succeeded", "succeeded"],
  ["a success when it subscribes to failures", ["failed"], "succeeded", "failed"],
  ["a queued deployment", ["started", "succeeded"], "queued", null],
  ["a superseded deployment", ["failed", "cancelled"], "superseded", null],
] as const)("chooseNotification does not notify the channel of %s", (_what, kinds, state, before) => {
  expect(chooseNotification(subscriptionOf(kinds), "blog", state, ended(before))).toBeNull();
});

test("chooseNotification reports the same failure once, but always ends what it reported as started", () => {
  const same = ended("failed", true);
  expect(chooseNotification(subscriptionOf(["failed"]), "blog", "failed", same)).toBeNull();
  expect(chooseNotification(subscriptionOf(["started", "failed"]), "blog", "failed", same)).toBe("failed");
  expect(chooseNotification(subscriptionOf(["recovered"]), "blog", "succeeded", same)).toBe("recovered");
});

test("chooseNotification notifies the channel of its own targets only", () => {
  expect(chooseNotification(subscriptionOf(["failed"], ["blog"]), "blog", "failed", null)).toBe("failed");
  expect(chooseNotification(subscriptionOf(["failed"], ["shop"]), "blog", "failed", null)).toBeNull();
});
