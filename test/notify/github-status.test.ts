import { describe, expect, test } from "bun:test";
import type { Deployment } from "../../src/domain/deployment.ts";
import type { News } from "../../src/domain/notice.ts";
import { createStatusMessenger } from "../../src/notify/github-status.ts";
import { loadSecret } from "../providers/load-secret.ts";
import { deploymentOf, NOW, noticeOf, PATIENT, PUSHED, TIP } from "./news.ts";
import { type Receiver, receive } from "./receiver.ts";

const TOKEN = "hush-hush-hush-hush";

function messengerTo({ origin }: Receiver) {
  const settings = { token: loadSecret(TOKEN), apiUrl: `${origin}/api/v3/` };
  return createStatusMessenger("blog", "octocat/blog", settings, PATIENT);
}

/** The statuses that arrive, each as its commit, state and description. */
async function statusesOf(news: News, settings: Partial<Deployment>): Promise<readonly string[][]> {
  await using receiver = receive(() => new Response("{}", { status: 201 }));
  expect(await messengerTo(receiver).tell(noticeOf(news), deploymentOf(settings), NOW)).toEqual({
    kind: "taken",
  });
  return receiver.received.map(({ path, body }) => {
    const { context, state, description, ...rest } = JSON.parse(body);
    expect(context).toBe("hooklatch/blog");
    expect(rest).toEqual({});
    return [path.replace("/api/v3/repos/octocat/blog/statuses/", ""), state, description];
  });
}

describe("a commit status", () => {
  test("is a POST as GitHub's API has it", async () => {
    await using receiver = receive(() => new Response("{}", { status: 201 }));
    await messengerTo(receiver).tell(noticeOf("succeeded"), deploymentOf(), NOW);
    const [message] = receiver.received;
    expect(message?.method).toBe("POST");
    expect(message?.path).toBe(`/api/v3/repos/octocat/blog/statuses/${TIP}`);
    expect(message?.headers.get("authorization")).toBe(`Bearer ${TOKEN}`);
    expect(message?.headers.get("accept")).toBe("application/vnd.github+json");
    expect(message?.headers.get("x-github-api-version")).toBe("2022-11-28");
    expect(message?.headers.get("user-agent")).toBe("hooklatch");
  });

  const skipped = "skipped: no file that differs fits `paths`";
  test.each<[string, News, Partial<Deployment>, string[][]]>([
    ["pending at the pushed commit", "started", { commit: null }, [[TIP, "pending", "deploying"]]],
    [
      "pending at the commit that was chosen",
      "started",
      { pushedCommit: null, commit: null, choice: { kind: "commit", commit: TIP } },
      [[TIP, "pending", "deploying"]],
    ],
    [
      "told nowhere while only the beginning of the commit is known",
      "started",
      { pushedCommit: null, commit: null, choice: { kind: "commit", commit: "0123456" } },
      [],
    ],
    ["told nowhere while no commit is known", "failed", { pushedCommit: null, commit: null }, []],
    ["success once it is deployed", "succeeded", {}, [[TIP, "success", "deployed"]]],
    ["success after a failure", "recovered", {}, [[TIP, "success", "deployed"]]],
    [
      "success also at the pushed commit, which is no longer the tip",
      "succeeded",
      { pushedCommit: PUSHED },
      [
        [TIP, "success", "deployed"],
        [PUSHED, "success", "deployed with 0123456789ab"],
      ],
    ],
    [
      "failure with the reason",
      "failed",
      { reason: "step\n1 exited with 1" },
      [[TIP, "failure", "failed: step 1 exited with 1"]],
    ],
    [
      "failure also at the pushed commit",
      "failed",
      { reason: "no", pushedCommit: PUSHED },
      [
        [TIP, "failure", "failed: no"],
        [PUSHED, "failure", "failed with 0123456789ab: no"],
      ],
    ],
    [
      "failure at the pushed commit where the fetch failed",
      "failed",
      { reason: "no", commit: null },
      [[TIP, "failure", "failed: no"]],
    ],
    ["error when cancelled", "cancelled", { reason: "by ada" }, [[TIP, "error", "cancelled: by ada"]]],
    ["error when interrupted", "interrupted", {}, [[TIP, "error", "interrupted"]]],
    [
      "success when it was skipped",
      "cancelled",
      { reason: skipped, pushedCommit: PUSHED },
      [
        [TIP, "success", skipped],
        [PUSHED, "success", skipped],
      ],
    ],
    [
      "cut at 140 characters",
      "failed",
      { reason: "x".repeat(200) },
      [[TIP, "failure", `failed: ${"x".repeat(131)}…`]],
    ],
  ])("is %s", async (_, news, settings, statuses) => {
    expect(await statusesOf(news, settings)).toEqual(statuses);
  });

  test.each<[number, string]>([
    [301, "was octocat/blog renamed? configure its present name"],
    [401, "check that the token is right and has not expired"],
    [403, "the token may not write commit statuses of octocat/blog"],
    [404, "check that octocat/blog exists and that the token may write its commit statuses"],
    [410, "octocat/blog is gone"],
    [422, "check that the commit is in octocat/blog and has fewer than 1000 statuses"],
  ])("is given up after a %d, saying what to check", async (status, advice) => {
    await using receiver = receive(() => new Response("{}", { status }));
    const deployment = deploymentOf({ pushedCommit: PUSHED });
    expect(await messengerTo(receiver).tell(noticeOf("succeeded"), deployment, NOW)).toEqual({
      kind: "refused",
      reason: `${new URL(receiver.origin).host} answered ${status}: ${advice}`,
    });
    expect(receiver.received).toHaveLength(1);
  });

  test.each<[number, Record<string, string>]>([
    [403, { "x-ratelimit-remaining": "0" }],
    [403, { "retry-after": "60" }],
    [429, {}],
    [502, {}],
  ])("may be sent again after a %d with %p", async (status, headers) => {
    await using receiver = receive(() => new Response("{}", { status, headers }));
    expect(await messengerTo(receiver).tell(noticeOf("failed"), deploymentOf(), NOW)).toEqual({
      kind: "failed",
      reason: `${new URL(receiver.origin).host} answered ${status}`,
    });
  });

  test("may be sent again when only the first of two was taken", async () => {
    await using receiver = receive((index) => new Response("{}", { status: index === 0 ? 201 : 503 }));
    const deployment = deploymentOf({ pushedCommit: PUSHED });
    expect(await messengerTo(receiver).tell(noticeOf("succeeded"), deployment, NOW)).toMatchObject({
      kind: "failed",
    });
    expect(receiver.received).toHaveLength(2);
  });
});
