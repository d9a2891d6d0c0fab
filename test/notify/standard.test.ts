import { describe, expect, test } from "bun:test";
import { Webhook } from "standardwebhooks";
import type { News } from "../../src/domain/notice.ts";
import { createStandardMessenger, signMessage } from "../../src/notify/standard.ts";
import { loadSecret } from "../providers/load-secret.ts";
import { deploymentOf, NOW, noticeOf, PATIENT, PUSHED, SIGNING_SECRET, settingsOf, TIP } from "./news.ts";
import { type Receiver, receive } from "./receiver.ts";

const PUBLIC_URL = "https://hooks.example.com";

function messengerTo({ origin }: Receiver) {
  return createStandardMessenger(settingsOf("standard", `${origin}/in?key=hush`), PUBLIC_URL, PATIENT);
}

describe("a signature", () => {
  test("is the one that the specification's libraries publish", () => {
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
    "is not made with the secret %p",
    (secret) => {
      expect(() => signMessage(secret, "msg_1", 1, "{}")).toThrow("not `whsec_` and base64");
    },
  );
});

describe("a Standard Webhooks message", () => {
  test.each<News>(["failed", "recovered", "succeeded"])("tells that it %s, signed", async (news) => {
    await using receiver = receive();
    const state = news === "failed" ? "failed" : "succeeded";
    const deployment = deploymentOf({ state, reason: "health did not answer <2xx>", pushedCommit: PUSHED });
    // The package takes no other clock than the machine's.
    const outcome = await messengerTo(receiver).tell(noticeOf(news), deployment, new Date());
    expect(outcome).toEqual({ kind: "taken" });
    expect(receiver.received).toHaveLength(1);
    const [message] = receiver.received;
    expect(message?.method).toBe("POST");
    expect(message?.path).toBe("/in?key=hush");
    expect(message?.headers.get("content-type")).toBe("application/json");
    expect(message?.headers.get("user-agent")).toBe("hooklatch");
    const headers = Object.fromEntries(message?.headers ?? []);
    expect(new Webhook(SIGNING_SECRET).verify(message?.body ?? "", headers)).toEqual({
      type: `deployment.${news}`,
      timestamp: "2026-11-21T20:30:00.250Z",
      data: {
        deployment: 12,
        target: "blog",
        state,
        reason: "health did not answer <2xx>",
        trigger: "push",
        attempt: 1,
        delivery: 3,
        pushed_commit: PUSHED,
        branch: "main",
        commit: TIP,
        previous_commit: PUSHED,
        release: "20261121T202900Z-0123456789ab",
        created_at: "2026-11-21T20:28:59.000Z",
        started_at: "2026-11-21T20:29:00.000Z",
        ended_at: "2026-11-21T20:30:00.250Z",
        server: PUBLIC_URL,
      },
    });
  });

  test("keeps its id and its body when it is sent again, and takes the time of the attempt", async () => {
    await using receiver = receive((index) => new Response(null, { status: index === 0 ? 502 : 204 }));
    const messenger = messengerTo(receiver);
    const later = new Date(NOW.getTime() + 60_000);
    expect(await messenger.tell(noticeOf("failed"), deploymentOf(), NOW)).toMatchObject({ kind: "failed" });
    expect(await messenger.tell({ ...noticeOf("failed"), attempts: 1 }, deploymentOf(), later)).toEqual({
      kind: "taken",
    });
    const [first, second] = receiver.received;
    expect(first?.headers.get("webhook-id")).toBe(`msg_7_${noticeOf("failed").createdAt.getTime()}`);
    expect(second?.headers.get("webhook-id")).toBe(first?.headers.get("webhook-id") ?? "");
    expect(second?.body).toBe(first?.body ?? "");
    expect(Number(first?.headers.get("webhook-timestamp"))).toBe(Math.floor(NOW.getTime() / 1000));
    expect(Number(second?.headers.get("webhook-timestamp"))).toBe(Math.floor(later.getTime() / 1000));
    expect(second?.headers.get("webhook-signature")).not.toBe(first?.headers.get("webhook-signature") ?? "");
  });

  test.each([400, 401, 403, 404, 405, 413, 422, 429, 500, 503])(
    "may be sent again after a %d",
    async (status) => {
      await using receiver = receive(() => new Response("no", { status }));
      expect(await messengerTo(receiver).tell(noticeOf("failed"), deploymentOf(), NOW)).toEqual({
        kind: "failed",
        reason: `${new URL(receiver.origin).host} answered ${status}`,
      });
    },
  );

  test("is not sent again after a 410", async () => {
    await using receiver = receive(() => new Response("no", { status: 410 }));
    expect(await messengerTo(receiver).tell(noticeOf("failed"), deploymentOf(), NOW)).toEqual({
      kind: "refused",
      reason: `${new URL(receiver.origin).host} answered 410: it wants no more messages`,
    });
  });

  test.each([null, loadSecret("hush-hush-hush")])("is not sent unsigned", async (secret) => {
    await using receiver = receive();
    const settings = { ...settingsOf("standard", receiver.origin), secret };
    const messenger = createStandardMessenger(settings, null, PATIENT);
    expect(await messenger.tell(noticeOf("failed"), deploymentOf(), NOW)).toEqual({
      kind: "failed",
      reason: "cannot write the message: the signing secret is not `whsec_` and base64",
    });
    expect(receiver.received).toEqual([]);
  });
});
