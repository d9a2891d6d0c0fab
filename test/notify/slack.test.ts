import { describe, expect, test } from "bun:test";
import type { Deployment } from "../../src/domain/deployment.ts";
import type { News } from "../../src/domain/notice.ts";
import { createSlackMessenger, escapeText } from "../../src/notify/slack.ts";
import { deploymentOf, NOW, noticeOf, PATIENT, PUSHED, settingsOf, TIP } from "./news.ts";
import { type Receiver, receive } from "./receiver.ts";

const PATH = "/services/T0/B0/hush";

function messengerTo({ origin }: Receiver) {
  return createSlackMessenger(settingsOf("slack", origin + PATH), PATIENT);
}

/** The text that arrives at the chat. */
async function textOf(news: News, settings: Partial<Deployment>): Promise<string> {
  await using receiver = receive();
  expect(await messengerTo(receiver).tell(noticeOf(news), deploymentOf(settings), NOW)).toEqual({
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
  const reason = 'step "npm test" exited with 1';
  test.each<[News, Partial<Deployment>, string]>([
    ["failed", { state: "failed", reason }, `*blog* failed: ${reason} (deployment 12, main 0123456789ab)`],
    ["recovered", {}, "*blog* works again (deployment 12, main 0123456789ab)"],
    ["succeeded", {}, "*blog* is deployed (deployment 12, main 0123456789ab)"],
    [
      "succeeded",
      { trigger: "rollback", branch: null },
      "*blog* is deployed (deployment 12, rollback, 0123456789ab)",
    ],
    [
      "failed",
      { state: "failed", reason: "branch main is gone", branch: null, commit: null, pushedCommit: PUSHED },
      "*blog* failed: branch main is gone (deployment 12, aaaaaaaaaaaa)",
    ],
    [
      "failed",
      { state: "failed", trigger: "manual", branch: null, commit: null, pushedCommit: null },
      "*blog* failed (deployment 12, manual)",
    ],
    ["started", { state: "running" }, "*blog* is being deployed (deployment 12, main 0123456789ab)"],
    [
      "cancelled",
      { state: "cancelled", reason: "by ada" },
      "*blog* was cancelled: by ada (deployment 12, main 0123456789ab)",
    ],
    ["interrupted", { state: "interrupted" }, "*blog* was interrupted (deployment 12, main 0123456789ab)"],
  ])("tells that it %s", async (news, settings, text) => {
    expect(await textOf(news, settings)).toBe(text);
  });

  test("is one short line whatever the reason and the branch are", async () => {
    const text = await textOf("failed", {
      reason: `first\r\n# second\u2028third\u001b[31m ${"&".repeat(2000)}`,
      branch: `${"x".repeat(59)}😀${"&".repeat(200)}`,
    });
    expect(text).toStartWith("*blog* failed: first # second third [31m &amp;");
    expect(text).toContain(`…`);
    expect(text.length).toBeLessThan(2000);
    expect(text).not.toMatch(/\p{Cc}|\p{Zl}|\p{Cs}/u);
  });

  test("shows what would turn the text around", async () => {
    expect(await textOf("failed", { branch: "main\u202egnp" })).toContain("main\\u202egnp");
  });

  test.each([403, 404, 410])("is not sent again after a %d", async (status) => {
    await using receiver = receive(() => new Response("no_service", { status }));
    expect(await messengerTo(receiver).tell(noticeOf("failed"), deploymentOf(), NOW)).toEqual({
      kind: "refused",
      reason: `${new URL(receiver.origin).host} answered ${status}: the chat's hook is gone or blocked; make a new one`,
    });
  });

  test.each([400, 429, 500])("may be sent again after a %d", async (status) => {
    await using receiver = receive(() => new Response("no", { status }));
    expect(await messengerTo(receiver).tell(noticeOf("failed"), deploymentOf(), NOW)).toMatchObject({
      kind: "failed",
    });
  });
});

describe("text of unknown origin", () => {
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
    [`step "npm run build:all" exited with 1`, `step "npm run build:all" exited with 1`],
    [TIP, TIP],
  ])("%p calls nobody and formats nothing", (text, escaped) => {
    expect(escapeText(text)).toBe(escaped);
  });
});
