import { describe, expect, test } from "bun:test";
import type { Deployment } from "../../src/domain/deployment.ts";
import { createDiscordChannel, escapeMarkdown } from "../../src/notify/discord.ts";
import { receive } from "./receiver.ts";
import { deploymentOf, LONG_TIMEOUT, NOW, notificationOf, settingsOf } from "./samples.ts";

async function bodyOf(settings: Partial<Deployment>): Promise<Record<string, unknown>> {
  await using receiver = receive(() => new Response(null, { status: 204 }));
  const channel = createDiscordChannel(
    settingsOf("discord", `${receiver.origin}/api/webhooks/1/hush`),
    LONG_TIMEOUT,
  );
  expect(await channel.send(notificationOf("failed"), deploymentOf(settings), NOW)).toEqual({
    kind: "taken",
  });
  expect(receiver.received).toHaveLength(1);
  return JSON.parse(receiver.received[0]?.body ?? "");
}

describe("a Discord message", () => {
  test("names the target, the reason and the commit, and mentions nobody", async () => {
    const body = await bodyOf({ state: "failed", code: "step_failed", reason: "@everyone **x** <@1>" });
    expect(body.allowed_mentions).toEqual({ parse: [] });
    expect(body.content).toMatchSnapshot();
    expect(body.content).not.toMatch(/(?<!\\)[@<]/);
  });

  test("stays within the limit of 2000 characters for any text", async () => {
    const long = "*".repeat(3000);
    for (const settings of [
      { reason: long, branch: long, subject: long, author: long },
      { reason: null, branch: "main", subject: long, author: long },
    ]) {
      const { content } = await bodyOf({ state: "failed", code: "step_failed", ...settings });
      expect(String(content).length).toBeLessThanOrEqual(2000);
      expect(content).toContain("deployment 12");
    }
  });

  test("may be retried after 429, and is not after 404", async () => {
    for (const [status, kind] of [
      [429, "failed"],
      [404, "refused"],
    ] as const) {
      await using receiver = receive(() => new Response("no", { status }));
      const channel = createDiscordChannel(settingsOf("discord", receiver.origin), LONG_TIMEOUT);
      const outcome = await channel.send(notificationOf("failed"), deploymentOf(), NOW);
      expect(outcome.kind).toBe(kind);
    }
  });
});

test("escapes formatting, links and mentions", () => {
  expect(escapeMarkdown("[a](https://x) _b_ ||c|| <@1> # d \\")).toBe(
    "\\[a\\]\\(https\\://x\\) \\_b\\_ \\|\\|c\\|\\| \\<\\@1\\> \\# d \\\\",
  );
});
