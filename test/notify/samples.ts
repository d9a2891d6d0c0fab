import { expect } from "bun:test";
import type { Deployment } from "../../src/domain/deployment.ts";
import type { Notification, NotificationKind, PostSettings } from "../../src/domain/notification.ts";
import { loadSecret } from "../providers/load-secret.ts";
import { words } from "../support/words.ts";
import type { Receiver } from "./receiver.ts";

export const PUSHED = "a".repeat(40);
export const TIP = `0123456789ab${"c".repeat(28)}`;
export const NOW = new Date("2026-11-21T20:31:05.900Z");
export const SIGNING_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/** A time-out that no test reaches, and a signal that is never aborted. */
export const LONG_TIMEOUT = { timeout: 5000, signal: new AbortController().signal };

/** A notification of the deployment below. */
export function notificationOf(kind: NotificationKind): Notification {
  const createdAt = new Date("2026-11-21T20:30:00.250Z");
  return { id: 7, channel: "ops", deployment: 12, kind, attempts: 0, createdAt };
}

/** A successful deployment of a push to the branch main. */
export function deploymentOf(settings: Partial<Deployment> = {}): Deployment {
  return {
    id: 12,
    target: "blog",
    host: "web-1",
    waitsFor: null,
    state: "succeeded",
    code: null,
    reason: null,
    trigger: "push",
    attempt: 1,
    retryOf: null,
    retriedAs: null,
    supersededBy: null,
    delivery: 3,
    pushedCommit: TIP,
    choice: null,
    branch: "main",
    commit: TIP,
    subject: "Fix the menu",
    author: "Mona Lisa",
    commitUrl: `https://github.com/octocat/blog/commit/${TIP}`,
    previousCommit: PUSHED,
    release: `20261121T202900Z-${TIP.slice(0, 12)}`,
    createdAt: new Date("2026-11-21T20:28:59Z"),
    startedAt: new Date("2026-11-21T20:29:00Z"),
    endedAt: new Date("2026-11-21T20:30:00.250Z"),
    steps: [],
    ...settings,
  };
}

/** The settings of a channel that receives every kind of notification at this URL. */
export function settingsOf(format: PostSettings["format"], url: string): PostSettings {
  return {
    name: "ops",
    url: loadSecret(url),
    secret: format === "standard" ? loadSecret(SIGNING_SECRET) : null,
    format,
    kinds: ["failed", "recovered", "succeeded"],
    targets: null,
  };
}

interface Outcome {
  readonly kind: string;
  readonly reason?: string;
}

/** Expects an outcome of this kind, with a reason that contains the host of the receiver and its HTTP status. */
export function expectRejection(outcome: Outcome, kind: string, { origin }: Receiver, status: number): void {
  expect(outcome).toEqual({ kind, reason: expect.stringContaining(new URL(origin).host) });
  expect(outcome.reason).toMatch(new RegExp(`\\b${status}\\b`));
}

/** The reason of an outcome for a snapshot. */
export function reasonOf(outcome: Outcome | undefined): string {
  return words(outcome?.reason ?? "");
}
