import { expect, test } from "bun:test";
import { createNotificationChannels } from "../../src/notify/index.ts";
import { loadSecret } from "../providers/load-secret.ts";
import { targetOf } from "../support/target.ts";
import { receive } from "./receiver.ts";
import { deploymentOf, LONG_TIMEOUT, NOW, notificationOf, reasonOf, settingsOf } from "./samples.ts";

const OPTIONS = { publicUrl: null, signal: LONG_TIMEOUT.signal };

test("there is a channel for each [[notify]] and for each target with a commit status", () => {
  const commitStatus = { token: loadSecret("hush"), apiUrl: "https://api.github.com" };
  const chat = { ...settingsOf("slack", "https://chat.example.com"), name: "chat", targets: ["blog"] };
  const targets = [
    targetOf("blog", { commitStatus }),
    targetOf("quiet", { commitStatus: null }),
    targetOf("commands", { repository: null, commitStatus }),
  ];
  const channels = createNotificationChannels(
    [settingsOf("standard", "https://ops.example.com"), chat],
    targets,
    OPTIONS,
  );
  expect(channels.map(({ name, targets, kinds }) => ({ name, targets, kinds }))).toEqual([
    { name: "ops", targets: null, kinds: ["failed", "recovered", "succeeded"] },
    { name: "chat", targets: ["blog"], kinds: ["failed", "recovered", "succeeded"] },
    {
      name: "commit status of blog",
      targets: ["blog"],
      kinds: ["started", "succeeded", "failed", "cancelled", "interrupted"],
    },
  ]);
});

test("each channel sends the configured format and times out", async () => {
  await using receiver = receive((index) =>
    index < 2 ? new Response() : new Promise<Response>(() => undefined),
  );
  const [standard, slack] = createNotificationChannels(
    [settingsOf("standard", receiver.origin), settingsOf("slack", receiver.origin)],
    [],
    { ...OPTIONS, timeout: 200 },
  );
  await standard?.send(notificationOf("failed"), deploymentOf(), NOW);
  await slack?.send(notificationOf("failed"), deploymentOf(), NOW);
  expect(receiver.received.map(({ body }) => Object.keys(JSON.parse(body)))).toEqual([
    ["type", "timestamp", "data"],
    ["text"],
  ]);
  const outcome = await slack?.send(notificationOf("failed"), deploymentOf(), NOW);
  expect(outcome).toEqual({ kind: "failed", reason: expect.stringContaining("0.2 s") });
  expect(reasonOf(outcome)).toMatchSnapshot();
});

test("with a shared store, messages name the host, and a commit has a status for each host", async () => {
  await using receiver = receive(() => new Response("{}", { status: 201 }));
  const commitStatus = { token: loadSecret("hush"), apiUrl: receiver.origin };
  const channels = createNotificationChannels(
    [settingsOf("slack", receiver.origin), settingsOf("discord", receiver.origin)],
    [targetOf("blog", { commitStatus })],
    { ...OPTIONS, isShared: true },
  );
  for (const channel of channels) {
    await channel.send(notificationOf("failed"), deploymentOf({ host: "web-2" }), NOW);
  }
  const [slack, discord, status] = receiver.received.map(({ body }) => JSON.parse(body));
  expect(slack.text).toStartWith("*blog on web-2* failed");
  expect(discord.content).toStartWith("**blog on web\\-2** failed");
  expect(status.context).toBe("hooklatch/blog/web-2");
});
