import { describe, expect, test } from "bun:test";
import type { Deployment } from "../../src/domain/deployment.ts";
import type { NotificationKind } from "../../src/domain/notification.ts";
import { createSlackChannel, escapeText } from "../../src/notify/slack.ts";
import { type Receiver, receive } from "./receiver.ts";
import {
  deploymentOf,
  expectRejection,
  LONG_TIMEOUT,
  NOW,
  notificationOf,
  PUSHED,
  reasonOf,
  settingsOf,
  TIP,
} from "./samples.ts";

const PATH = "/services/T0/B0/hush";

function channelTo({ origin }: Receiver) {
  return createSlackChannel(settingsOf("slack", origin + PATH), LONG_TIMEOUT);
}

/** What is known of a deployment that has no commit. */
function withoutCommit(settings: Partial<Deployment>): Deployment {
  const unknown = settings.commit === null ? { subject: null, author: null, commitUrl: null } : {};
  return deploymentOf({ ...unknown, ...settings });
}

/** The text of the message that the chat receives. */
async function textOf(kind: NotificationKind, settings: Partial<Deployment>): Promise<string> {
  await using receiver = receive();
  expect(await channelTo(receiver).send(notificationOf(kind), withoutCommit(settings), NOW)).toEqual({
    kind: "taken",
  });
  expect(receiver.received).toHaveLength(1);
  const [message] = receiver.received;
  expect(message?.path).toBe(PATH);
  expect(message?.headers.get("content-type")).toBe("application/json");
  const { text, ...rest } = JSON.parse(message?.body ?? "");
  expect(rest).toEqual({});
  return text;
}

describe("a chat message", () => {
  const code = "step_failed";
  const reason = 'step "npm test" exited with code 1';
  const commit = "main 0123456789ab";
  test.each<[title: string, NotificationKind, Partial<Deployment>, facts: string[]]>([
    ["a failure", "failed", { state: "failed", code, reason }, [reason, commit]],
    ["a success after a failure", "recovered", {}, [commit]],
    ["a success", "succeeded", {}, [commit]],
    ["a rollback", "succeeded", { trigger: "rollback", branch: null }, ["rollback", "0123456789ab"]],
    [
      "a failure without a deployed commit",
      "failed",
      {
        state: "failed",
        code: "ref_missing",
        reason: "no branch main",
        branch: null,
        commit: null,
        pushedCommit: PUSHED,
      },
      ["no branch main", "aaaaaaaaaaaa"],
    ],
    [
      "a failure without any commit",
      "failed",
      { state: "failed", code, trigger: "manual", branch: null, commit: null, pushedCommit: null },
      ["manual"],
    ],
    ["a start", "started", { state: "running" }, [commit]],
    [
      "a cancellation",
      "cancelled",
      { state: "cancelled", code: "cancelled", reason: "by ada" },
      ["by ada", commit],
    ],
    [
      "a skipped deployment",
      "cancelled",
      { state: "cancelled", code: "paths_unchanged", reason: "no change" },
      ["no change", commit],
    ],
    ["an interruption", "interrupted", { state: "interrupted", code: "shutdown" }, [commit]],
  ])("reports %s", async (_, kind, settings, facts) => {
    const text = await textOf(kind, settings);
    expect(text).toStartWith("*blog* ");
    for (const fact of ["deployment 12", ...facts]) expect(text).toContain(fact);
    expect(text).toMatchSnapshot();
  });

  test("is one short line for any reason and branch", async () => {
    const text = await textOf("failed", {
      reason: `first\r\n# second\u2028third\u001b[31m ${"&".repeat(2000)}`,
      branch: `${"x".repeat(59)}😀${"&".repeat(200)}`,
    });
    expect(text).toStartWith("*blog* ");
    expect(text).toContain(": first # second third [31m &amp;");
    expect(text).toContain(`…`);
    expect(text.length).toBeLessThan(2000);
    expect(text).not.toMatch(/\p{Cc}|\p{Zl}|\p{Cs}/u);
  });

  test("shows a bidirectional override as an escape sequence", async () => {
    expect(await textOf("failed", { branch: "main\u202egnp" })).toContain("main\\u202egnp");
  });

  test.each([403, 404, 410])("is not retried after the response %d", async (status) => {
    await using receiver = receive(() => new Response("no_service", { status }));
    const outcome = await channelTo(receiver).send(notificationOf("failed"), deploymentOf(), NOW);
    expectRejection(outcome, "refused", receiver, status);
    expect(reasonOf(outcome)).toMatchSnapshot();
  });

  test.each([400, 429, 500])("may be retried after the response %d", async (status) => {
    await using receiver = receive(() => new Response("no", { status }));
    expect(await channelTo(receiver).send(notificationOf("failed"), deploymentOf(), NOW)).toMatchObject({
      kind: "failed",
    });
  });
});

describe("text escaping for chats", () => {
  test.each([
    [
      "<!channel> <@U012> <https://evil.example|ok>",
      "&lt;!channel&gt; &lt;＠U012&gt; &lt;https://evil.example|ok&gt;",
    ],
    ["&lt;!here&gt;", "&amp;lt;!here&amp;gt;"],
    ["@channel @everyone @here git@host", "＠channel ＠everyone ＠here git＠host"],
    ["*bold* ~~gone~~ `code`", "＊bold＊ ～～gone～～ ｀code｀"],
    ["_it_ __init__ snake_case_name _", "＿it＿ ＿＿init＿＿ snake_case_name ＿"],
    ["[ok](https://evil.example) ![](x)", "[ok]（https://evil.example) ![]（x)"],
    ["||spoiler|| a | b", "｜｜spoiler｜｜ a | b"],
    [`step "npm run build:all" failed`, `step "npm run build:all" failed`],
    [TIP, TIP],
  ])("removes mentions and formatting from %p", (text, escaped) => {
    expect(escapeText(text)).toBe(escaped);
  });
});
