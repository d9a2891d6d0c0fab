import { describe, expect, test } from "bun:test";
import type { Deployment } from "../../src/domain/deployment.ts";
import type { NotificationKind } from "../../src/domain/notification.ts";
import { createGithubStatusChannel } from "../../src/notify/github-status.ts";
import { loadSecret } from "../providers/load-secret.ts";
import { type Receiver, receive } from "./receiver.ts";
import {
  deploymentOf,
  expectRejection,
  LONG_TIMEOUT,
  NOW,
  notificationOf,
  PUSHED,
  reasonOf,
  TIP,
} from "./samples.ts";

const TOKEN = "hush-hush-hush-hush";

function channelTo({ origin }: Receiver) {
  const settings = { token: loadSecret(TOKEN), apiUrl: `${origin}/api/v3/` };
  return createGithubStatusChannel("blog", "octocat/blog", settings, LONG_TIMEOUT);
}

interface Status {
  readonly commit: string;
  readonly state: string;
  readonly description: string;
}

/** The statuses that GitHub receives. */
async function statusesOf(kind: NotificationKind, settings: Partial<Deployment>): Promise<readonly Status[]> {
  await using receiver = receive(() => new Response("{}", { status: 201 }));
  expect(await channelTo(receiver).send(notificationOf(kind), deploymentOf(settings), NOW)).toEqual({
    kind: "taken",
  });
  return receiver.received.map(({ path, body }) => {
    const { context, state, description, ...rest } = JSON.parse(body);
    expect(context).toBe("hooklatch/blog");
    expect(rest).toEqual({});
    return { commit: path.replace("/api/v3/repos/octocat/blog/statuses/", ""), state, description };
  });
}

describe("a commit status", () => {
  test("is a POST request as the API of GitHub requires", async () => {
    await using receiver = receive(() => new Response("{}", { status: 201 }));
    await channelTo(receiver).send(notificationOf("succeeded"), deploymentOf(), NOW);
    const [message] = receiver.received;
    expect(message?.method).toBe("POST");
    expect(message?.path).toBe(`/api/v3/repos/octocat/blog/statuses/${TIP}`);
    expect(message?.headers.get("authorization")).toBe(`Bearer ${TOKEN}`);
    expect(message?.headers.get("accept")).toBe("application/vnd.github+json");
    expect(message?.headers.get("x-github-api-version")).toBe("2022-11-28");
    expect(message?.headers.get("user-agent")).toBe("hooklatch");
  });

  const skipped = "no file differs from the live commit";
  test.each<[string, NotificationKind, Partial<Deployment>, [commit: string, state: string, fact: string][]]>(
    [
      ["pending at the pushed commit", "started", { commit: null }, [[TIP, "pending", ""]]],
      [
        "pending at the chosen commit",
        "started",
        { pushedCommit: null, commit: null, choice: { kind: "commit", commit: TIP } },
        [[TIP, "pending", ""]],
      ],
      ["success at the deployed commit", "succeeded", {}, [[TIP, "success", ""]]],
      ["success after a failure", "recovered", {}, [[TIP, "success", ""]]],
      [
        "success at the deployed and at the pushed commit",
        "succeeded",
        { pushedCommit: PUSHED },
        [
          [TIP, "success", ""],
          [PUSHED, "success", "0123456789ab"],
        ],
      ],
      [
        "failure with the reason in one line",
        "failed",
        { code: "step_failed", reason: "step\n1 exited with 1" },
        [[TIP, "failure", "step 1 exited with 1"]],
      ],
      [
        "failure at the deployed and at the pushed commit",
        "failed",
        { code: "timeout", reason: "no", pushedCommit: PUSHED },
        [
          [TIP, "failure", "no"],
          [PUSHED, "failure", "0123456789ab"],
        ],
      ],
      [
        "failure at the pushed commit when the fetch fails",
        "failed",
        { code: "fetch_failed", reason: "no", commit: null },
        [[TIP, "failure", "no"]],
      ],
      [
        "error when the deployment is cancelled",
        "cancelled",
        { code: "cancelled", reason: "by ada" },
        [[TIP, "error", "by ada"]],
      ],
      ["error when the deployment is interrupted", "interrupted", { code: "shutdown" }, [[TIP, "error", ""]]],
      [
        "pending while another workflow runs for the commit",
        "cancelled",
        { code: "ci_pending", reason: "later" },
        [[TIP, "pending", "later"]],
      ],
      [
        "success when the deployment is skipped",
        "cancelled",
        { code: "paths_unchanged", reason: skipped, pushedCommit: PUSHED },
        [
          [TIP, "success", skipped],
          [PUSHED, "success", skipped],
        ],
      ],
    ],
  )("is %s", async (_, kind, settings, expected) => {
    const statuses = await statusesOf(kind, settings);
    expect(statuses).toEqual(
      expected.map(([commit, state, fact]) => ({
        commit,
        state,
        description: expect.stringContaining(fact),
      })),
    );
    expect(statuses.map(({ description }) => description)).toMatchSnapshot();
  });

  test.each<[string, NotificationKind, Partial<Deployment>]>([
    [
      "only an abbreviated commit",
      "started",
      { pushedCommit: null, commit: null, choice: { kind: "commit", commit: "0123456" } },
    ],
    ["no commit", "failed", { pushedCommit: null, commit: null }],
  ])("is not sent for a deployment with %s", async (_, kind, settings) => {
    expect(await statusesOf(kind, settings)).toEqual([]);
  });

  test("has a description of at most 140 characters", async () => {
    const [status] = await statusesOf("failed", { reason: "x".repeat(200) });
    expect(status?.description).toHaveLength(140);
    expect(status?.description).toEndWith("xxx…");
  });

  test.each([301, 401, 403, 404, 410, 422])(
    "is not retried after the response %d, and the reason suggests a remedy",
    async (status) => {
      await using receiver = receive(() => new Response("{}", { status }));
      const deployment = deploymentOf({ pushedCommit: PUSHED });
      const outcome = await channelTo(receiver).send(notificationOf("succeeded"), deployment, NOW);
      expectRejection(outcome, "refused", receiver, status);
      expect(reasonOf(outcome)).toMatchSnapshot();
      expect(receiver.received).toHaveLength(1);
    },
  );

  test.each<[number, Record<string, string>]>([
    [403, { "x-ratelimit-remaining": "0" }],
    [403, { "retry-after": "60" }],
    [429, {}],
    [502, {}],
  ])("may be retried after the response %d with the headers %j", async (status, headers) => {
    await using receiver = receive(() => new Response("{}", { status, headers }));
    const outcome = await channelTo(receiver).send(notificationOf("failed"), deploymentOf(), NOW);
    expectRejection(outcome, "failed", receiver, status);
  });

  test("may be retried when only the first of two statuses was accepted", async () => {
    await using receiver = receive((index) => new Response("{}", { status: index === 0 ? 201 : 503 }));
    const deployment = deploymentOf({ pushedCommit: PUSHED });
    expect(await channelTo(receiver).send(notificationOf("succeeded"), deployment, NOW)).toMatchObject({
      kind: "failed",
    });
    expect(receiver.received).toHaveLength(2);
  });
});
