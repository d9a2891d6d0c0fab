import { describe, expect, test } from "bun:test";
import type { Deployment, DeploymentState } from "../../src/domain/deployment.ts";
import type { TargetStatus } from "../../src/domain/deployment-store.ts";
import { decideCatchUp } from "../../src/flow/catch-up.ts";

const TIME = new Date("2026-11-21T12:00:00Z");
const live = (commit: string) => ({ commit, release: null, since: TIME });

function last(
  state: DeploymentState,
  commit: string | null = "old",
  own: Partial<Deployment> = {},
): Deployment {
  return {
    id: 7,
    target: "blog",
    host: "web-1",
    waitsFor: null,
    state,
    code: null,
    reason: null,
    trigger: "push",
    attempt: 1,
    retryOf: null,
    retriedAs: null,
    supersededBy: null,
    delivery: 1,
    pushedCommit: null,
    choice: null,
    branch: "main",
    commit,
    subject: null,
    author: null,
    commitUrl: null,
    previousCommit: null,
    release: null,
    createdAt: TIME,
    startedAt: null,
    endedAt: null,
    steps: [],
    ...own,
  };
}

function statusOf(own: Partial<TargetStatus>): TargetStatus {
  return { live: null, latest: null, latestOfTip: null, queued: null, running: null, lock: null, ...own };
}

const freeze = { target: "blog", reason: "freeze", by: "ada", since: TIME, until: null };

describe("decideCatchUp", () => {
  test.each([
    ["was never deployed", { live: null, latest: null }],
    ["has a queued deployment", { live: live("old"), latest: last("queued") }],
    ["has a running deployment", { live: live("old"), latest: last("running") }],
    ["has the tip live", { live: live("tip"), latest: last("succeeded", "tip") }],
    ["has the tip live and a failed last deployment", { live: live("tip"), latest: last("failed", "bad") }],
    [
      "was interrupted twice with this commit",
      { live: live("old"), latest: last("interrupted", null, { attempt: 2, pushedCommit: "tip" }) },
    ],
    [
      "was interrupted twice with an unknown commit",
      { live: live("old"), latest: last("interrupted", null, { attempt: 2 }) },
    ],
    [
      "failed to deploy this commit",
      { live: live("old"), latest: last("failed", "tip"), latestOfTip: last("failed", "tip") },
    ],
    [
      "was rolled back from this commit",
      { live: live("old"), latest: last("succeeded", "old"), latestOfTip: last("succeeded", "tip") },
    ],
    [
      "failed to deploy this commit and was rolled back afterwards",
      { live: live("older"), latest: last("succeeded", "older"), latestOfTip: last("failed", "tip") },
    ],
    [
      "skipped this commit",
      { live: live("old"), latest: last("cancelled", "tip"), latestOfTip: last("cancelled", "tip") },
    ],
    [
      "had a queued deployment of this commit cancelled",
      { live: live("old"), latest: last("cancelled", null, { pushedCommit: "tip" }) },
    ],
    [
      "failed before this commit was fetched",
      { live: live("old"), latest: last("failed", null, { pushedCommit: "tip" }) },
    ],
    [
      "failed before its first commit was fetched",
      { live: null, latest: last("failed", null, { pushedCommit: "tip" }) },
    ],
    ["is locked", { live: live("old"), latest: last("succeeded"), lock: freeze }],
  ])("does not deploy a target that %s", (_what, own) => {
    expect(decideCatchUp("tip", statusOf(own))).toMatchObject({ deploy: false });
  });

  test.each([
    ["missed a push", { live: live("old"), latest: last("succeeded") }],
    ["was interrupted", { live: live("old"), latest: last("interrupted", "tip") }],
    ["was interrupted at its first deployment", { live: null, latest: last("interrupted", null) }],
    [
      "was interrupted twice with another commit",
      { live: live("old"), latest: last("interrupted", null, { attempt: 2, pushedCommit: "older" }) },
    ],
    ["failed with another commit", { live: live("old"), latest: last("failed", "bad") }],
    [
      "failed before another commit was fetched",
      { live: live("old"), latest: last("failed", null, { pushedCommit: "bad" }) },
    ],
    [
      "failed to deploy a chosen commit",
      {
        live: live("old"),
        latest: last("failed", "tip", { choice: { kind: "commit", commit: "tip" } }),
        latestOfTip: last("succeeded", "old"),
      },
    ],
    ["failed before the commit was known", { live: null, latest: last("failed", null) }],
    [
      "received a new commit after a rollback",
      { live: live("older"), latest: last("succeeded", "older"), latestOfTip: last("succeeded", "bad") },
    ],
    [
      "was interrupted while deploying this commit",
      { live: live("old"), latest: last("interrupted", "tip"), latestOfTip: last("interrupted", "tip") },
    ],
    [
      "had another commit cancelled",
      { live: live("old"), latest: last("cancelled", null, { pushedCommit: "bad" }) },
    ],
  ])("deploys a target that %s", (_what, own) => {
    expect(decideCatchUp("tip", statusOf(own))).toMatchObject({ deploy: true });
  });
});
