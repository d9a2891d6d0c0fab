import { describe, expect, test } from "bun:test";
import { decideCatchUp } from "../../src/domain/catch-up.ts";
import type { Deployment, DeploymentState } from "../../src/domain/deployment.ts";

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
    state,
    reason: null,
    trigger: "push",
    attempt: 1,
    delivery: 1,
    pushedCommit: null,
    branch: "main",
    commit,
    previousCommit: null,
    release: null,
    createdAt: TIME,
    startedAt: null,
    endedAt: null,
    steps: [],
    ...own,
  };
}

describe("decideCatchUp", () => {
  test.each([
    ["was never deployed", { live: null, last: null }],
    ["has one waiting", { live: live("old"), last: last("queued") }],
    ["has one running", { live: live("old"), last: last("running") }],
    ["has the tip live", { live: live("tip"), last: last("succeeded", "tip") }],
    ["has the tip live, though the last one failed", { live: live("tip"), last: last("failed", "bad") }],
    [
      "was interrupted twice with this very commit",
      { live: live("old"), last: last("interrupted", null, { attempt: 2, pushedCommit: "tip" }) },
    ],
    [
      "was interrupted twice, nobody knows with which commit",
      { live: live("old"), last: last("interrupted", null, { attempt: 2 }) },
    ],
    ["failed to deploy this very commit", { live: live("old"), last: last("failed", "tip") }],
  ])("leaves a target alone that %s", (_what, standing) => {
    expect(decideCatchUp("tip", standing)).toMatchObject({ deploy: false });
  });

  test.each([
    ["moved while nobody listened", { live: live("old"), last: last("succeeded") }],
    ["was interrupted", { live: live("old"), last: last("interrupted", "tip") }],
    ["was interrupted at its first deployment", { live: null, last: last("interrupted", null) }],
    [
      "was interrupted twice with another commit",
      { live: live("old"), last: last("interrupted", null, { attempt: 2, pushedCommit: "older" }) },
    ],
    ["failed with another commit", { live: live("old"), last: last("failed", "bad") }],
    ["could not be fetched when it was pushed", { live: null, last: last("failed", null) }],
  ])("deploys a target that %s", (_what, standing) => {
    expect(decideCatchUp("tip", standing)).toMatchObject({ deploy: true });
  });
});
