import type { Deployment } from "../../src/domain/deployment.ts";
import type { NotifySettings } from "../../src/domain/messenger.ts";
import type { News, Notice } from "../../src/domain/notice.ts";
import { loadSecret } from "../providers/load-secret.ts";

export const PUSHED = "a".repeat(40);
export const TIP = `0123456789ab${"c".repeat(28)}`;
export const NOW = new Date("2026-11-21T20:31:05.900Z");
export const SIGNING_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/** Waits longer than any test. */
export const PATIENT = { timeout: 5000, signal: new AbortController().signal };

/** What to be told of. */
export function noticeOf(news: News): Notice {
  const createdAt = new Date("2026-11-21T20:30:00.250Z");
  return { id: 7, subscriber: "ops", deployment: 12, news, attempts: 0, createdAt };
}

/** A deployment of the branch main whose tip was pushed. */
export function deploymentOf(settings: Partial<Deployment> = {}): Deployment {
  return {
    id: 12,
    target: "blog",
    state: "succeeded",
    reason: null,
    trigger: "push",
    attempt: 1,
    delivery: 3,
    pushedCommit: TIP,
    choice: null,
    branch: "main",
    commit: TIP,
    previousCommit: PUSHED,
    release: `20261121T202900Z-${TIP.slice(0, 12)}`,
    createdAt: new Date("2026-11-21T20:28:59Z"),
    startedAt: new Date("2026-11-21T20:29:00Z"),
    endedAt: new Date("2026-11-21T20:30:00.250Z"),
    steps: [],
    ...settings,
  };
}

/** Somebody who wants to know everything, at this address. */
export function settingsOf(format: NotifySettings["format"], url: string): NotifySettings {
  return {
    name: "ops",
    url: loadSecret(url),
    secret: format === "standard" ? loadSecret(SIGNING_SECRET) : null,
    format,
    on: ["failed", "recovered", "succeeded"],
    targets: null,
  };
}
