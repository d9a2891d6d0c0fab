import { describe, expect, test } from "bun:test";
import { Webhook } from "standardwebhooks";
import type { NotificationKind } from "../../src/domain/notification.ts";
import { createStandardChannel, signMessage } from "../../src/notify/standard.ts";
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
  SIGNING_SECRET,
  settingsOf,
  TIP,
} from "./samples.ts";

const PUBLIC_URL = "https://hooks.example.com";

function channelTo({ origin }: Receiver) {
  return createStandardChannel(settingsOf("standard", `${origin}/in?key=hush`), PUBLIC_URL, LONG_TIMEOUT);
}

describe("Standard Webhooks signature", () => {
  test("returns the signature that the reference implementation publishes", () => {
    // standard-webhooks:libraries/javascript/src/webhook.test.ts
    const signature = signMessage(
      SIGNING_SECRET,
      "msg_p5jXN8AQM9LWM0D4loKWxJek",
      1614265330,
      '{"test": 2432232314}',
    );
    expect(signature).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  });

  test.each(["", "whsec_", "hush", "whsec_hush!", "whsec_====", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])(
    "rejects the secret %p",
    (secret) => {
      expect(() => signMessage(secret, "msg_1", 1, "{}")).toThrow("whsec_");
    },
  );
});

describe("a Standard Webhooks message", () => {
  test.each<NotificationKind>(["failed", "recovered", "succeeded"])(
    "is signed and has the type deployment.%s",
    async (kind) => {
      await using receiver = receive();
      const state = kind === "failed" ? "failed" : "succeeded";
      const code = kind === "failed" ? "health_check_failed" : null;
      const reason = "the health URL returned <503>";
      const deployment = deploymentOf({ state, code, reason, pushedCommit: PUSHED });
      // The package compares the time of the message with the system clock.
      const outcome = await channelTo(receiver).send(notificationOf(kind), deployment, new Date());
      expect(outcome).toEqual({ kind: "taken" });
      expect(receiver.received).toHaveLength(1);
      const [message] = receiver.received;
      expect(message?.method).toBe("POST");
      expect(message?.path).toBe("/in?key=hush");
      expect(message?.headers.get("content-type")).toBe("application/json");
      expect(message?.headers.get("user-agent")).toBe("hooklatch");
      const headers = Object.fromEntries(message?.headers ?? []);
      expect(new Webhook(SIGNING_SECRET).verify(message?.body ?? "", headers)).toEqual({
        type: `deployment.${kind}`,
        timestamp: "2026-11-21T20:30:00.250Z",
        data: {
          deployment: 12,
          target: "blog",
          host: "web-1",
          state,
          code,
          reason,
          trigger: "push",
          attempt: 1,
          retry_of: null,
          retried_as: null,
          superseded_by: null,
          delivery: 3,
          pushed_commit: PUSHED,
          branch: "main",
          commit: TIP,
          subject: "Fix the menu",
          author: "Mona Lisa",
          commit_url: `https://github.com/octocat/blog/commit/${TIP}`,
          previous_commit: PUSHED,
          release: "20261121T202900Z-0123456789ab",
          created_at: "2026-11-21T20:28:59.000Z",
          started_at: "2026-11-21T20:29:00.000Z",
          ended_at: "2026-11-21T20:30:00.250Z",
          server: PUBLIC_URL,
        },
      });
    },
  );

  test("has the same id and body in a retry, and the time of the attempt", async () => {
    await using receiver = receive((index) => new Response(null, { status: index === 0 ? 502 : 204 }));
    const channel = channelTo(receiver);
    const later = new Date(NOW.getTime() + 60_000);
    expect(await channel.send(notificationOf("failed"), deploymentOf(), NOW)).toMatchObject({
      kind: "failed",
    });
    expect(await channel.send({ ...notificationOf("failed"), attempts: 1 }, deploymentOf(), later)).toEqual({
      kind: "taken",
    });
    const [first, second] = receiver.received;
    expect(first?.headers.get("webhook-id")).toBe(`msg_7_${notificationOf("failed").createdAt.getTime()}`);
    expect(second?.headers.get("webhook-id")).toBe(first?.headers.get("webhook-id") ?? "");
    expect(second?.body).toBe(first?.body ?? "");
    expect(Number(first?.headers.get("webhook-timestamp"))).toBe(Math.floor(NOW.getTime() / 1000));
    expect(Number(second?.headers.get("webhook-timestamp"))).toBe(Math.floor(later.getTime() / 1000));
    expect(second?.headers.get("webhook-signature")).not.toBe(first?.headers.get("webhook-signature") ?? "");
  });

  test.each([400, 401, 403, 404, 405, 413, 422, 429, 500, 503])(
    "may be retried after the response %d",
    async (status) => {
      await using receiver = receive(() => new Response("no", { status }));
      const outcome = await channelTo(receiver).send(notificationOf("failed"), deploymentOf(), NOW);
      expectRejection(outcome, "failed", receiver, status);
    },
  );

  test("is not retried after the response 410", async () => {
    await using receiver = receive(() => new Response("no", { status: 410 }));
    const outcome = await channelTo(receiver).send(notificationOf("failed"), deploymentOf(), NOW);
    expectRejection(outcome, "refused", receiver, 410);
    expect(reasonOf(outcome)).toMatchSnapshot();
  });

  test.each([
    ["without a secret", null],
    ["with an invalid secret", loadSecret("hush-hush-hush")],
  ])("is not sent %s", async (_, secret) => {
    await using receiver = receive();
    const settings = { ...settingsOf("standard", receiver.origin), secret };
    const channel = createStandardChannel(settings, null, LONG_TIMEOUT);
    const outcome = await channel.send(notificationOf("failed"), deploymentOf(), NOW);
    expect(outcome).toEqual({ kind: "failed", reason: expect.not.stringContaining("hush") });
    expect(reasonOf(outcome)).toMatchSnapshot();
    expect(receiver.received).toEqual([]);
  });
});
