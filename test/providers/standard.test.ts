import { describe, expect, test } from "bun:test";
import { generateKeyPairSync, sign as signWithKey } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { standard } from "../../src/providers/standard/index.ts";
import { DESTINATION, post } from "../support/request.ts";
import { loadSecret } from "./load-secret.ts";

/** The vector of the reference libraries. */
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const SECONDS = 1_614_265_330;
const BODY = '{"test": 2432232314}';
const SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const NOW = new Date(SECONDS * 1000);
const handler = standard.createHandler({ secrets: [loadSecret(SECRET)] });

const request = (changes: Record<string, string> = {}, body = BODY) =>
  post(
    { "webhook-id": ID, "webhook-timestamp": String(SECONDS), "webhook-signature": SIGNATURE, ...changes },
    body,
  );
const verify = (given: ReturnType<typeof request>, now = NOW) => handler.verify(given, null, now);
const after = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);

describe("source of Standard Webhooks", () => {
  test("accepts the vector of the reference libraries, and its id", () => {
    expect(verify(request())).toEqual({ kind: "verified" });
    expect(handler.parse(request())).toMatchObject({
      events: [{ kind: "other", name: "payload" }],
      identity: { id: ID, hook: null },
    });
    expect(handler.parse(request({}, '{"type":"invoice.paid"}'))).toMatchObject({
      events: [{ kind: "other", name: "invoice.paid" }],
    });
  });

  test("accepts a signature among others, as during a rotation, and up to five minutes away", () => {
    const others = `v1,${"A".repeat(43)}= v2,x ${SIGNATURE} v1a,x`;
    expect(verify(request({ "webhook-signature": others }))).toEqual({ kind: "verified" });
    for (const seconds of [-300, 300])
      expect(verify(request(), after(seconds))).toEqual({ kind: "verified" });
  });

  test.each([
    ["a time of 301 seconds ago", request(), after(301), "timestamp_too_old"],
    ["a time in 301 seconds", request(), after(-301), "timestamp_too_new"],
    ["a time with letters", request({ "webhook-timestamp": `${SECONDS}abc` }), NOW, "timestamp_invalid"],
    ["another time", request({ "webhook-timestamp": `${SECONDS + 1}` }), NOW, "signature_mismatch"],
    ["another id", request({ "webhook-id": "msg_2" }), NOW, "signature_mismatch"],
    ["an id with a dot", request({ "webhook-id": "msg.1" }), NOW, "signature_mismatch"],
    ["another body", request({}, '{"test":2432232314}'), NOW, "signature_mismatch"],
    ["an empty signature", request({ "webhook-signature": "" }), NOW, "signature_mismatch"],
    [
      "another version",
      request({ "webhook-signature": SIGNATURE.replace("v1,", "v2,") }),
      NOW,
      "signature_mismatch",
    ],
    [
      "two signatures in one header",
      request({ "webhook-signature": `${SIGNATURE}, ${SIGNATURE}` }),
      NOW,
      "signature_mismatch",
    ],
    ["hex", request({ "webhook-signature": `v1,${"a".repeat(64)}` }), NOW, "signature_mismatch"],
  ])("refuses %s", (_, given, now, code) => {
    const status = "signature verification failed";
    expect(verify(given, now)).toMatchObject({ kind: "refused", status, code, isThrottled: false });
  });

  test("accepts the headers of Svix, all three of them", () => {
    const named = (prefix: string) => ({
      [`${prefix}-id`]: ID,
      [`${prefix}-timestamp`]: String(SECONDS),
      [`${prefix}-signature`]: SIGNATURE,
    });
    const given = post(named("svix"), BODY);
    expect(verify(given)).toEqual({ kind: "verified" });
    expect(handler.parse(given)).toMatchObject({ identity: { id: ID, hook: null } });
    // The id that was verified is the one that counts.
    const mixed = post({ ...named("svix"), "webhook-id": "msg_2" }, BODY);
    expect(verify(mixed)).toMatchObject({ kind: "refused", code: "signature_missing" });
    const both = post({ ...named("svix"), ...named("webhook"), "webhook-id": "msg_2" }, BODY);
    expect(verify(both)).toMatchObject({ kind: "refused", code: "signature_mismatch" });
  });

  test.each(["webhook-id", "webhook-timestamp", "webhook-signature"])(
    "refuses a request without %s",
    (name) => {
      const given = request();
      given.headers.delete(name);
      expect(verify(given)).toMatchObject({ kind: "refused", code: "signature_missing" });
    },
  );

  test("agrees with the reference library in both directions", () => {
    const now = new Date();
    const library = new Webhook(SECRET);
    const sent = request({
      "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
      "webhook-signature": library.sign(ID, now, BODY),
    });
    expect(verify(sent, now)).toEqual({ kind: "verified" });
    const ping = { kind: "ping", deliveryId: "msg_1", form: false, repository: "octocat/blog" } as const;
    const composed = handler.compose(ping, { ...DESTINATION, now });
    const text = Buffer.from(composed.body).toString();
    expect(library.verify(text, Object.fromEntries(composed.headers))).toMatchObject({ type: "ping" });
  });

  test("accepts an ed25519 signature of its public key only", () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
    const own = standard.createHandler({ secrets: [loadSecret(`whpk_${raw.toString("base64")}`)] });
    const content = Buffer.from(`${ID}.${SECONDS}.${BODY}`);
    const signature = `v1a,${signWithKey(null, content, privateKey).toString("base64")}`;
    expect(own.verify(request({ "webhook-signature": signature }), null, NOW)).toEqual({ kind: "verified" });
    const changed = request({ "webhook-signature": signature }, "{}");
    expect(own.verify(changed, null, NOW)).toMatchObject({ kind: "refused", code: "signature_mismatch" });
    expect(own.verify(request(), null, NOW)).toMatchObject({ kind: "refused", code: "signature_mismatch" });
    expect(verify(request({ "webhook-signature": signature }))).toMatchObject({ kind: "refused" });
  });

  test.each(["secret", "whsec_", "whsec_c2hvcnQ=", `whsec_${"A".repeat(100)}`, "whpk_AAAA", "whsec_%%%%"])(
    "reports %s as no secret",
    (text) => {
      expect(standard.checkOptions({ secrets: [loadSecret(text)] })).toHaveLength(1);
    },
  );

  test("accepts secrets of the right form", () => {
    const secrets = [SECRET, standard.formatSecret(Buffer.alloc(32, 7))].map((text) => loadSecret(text));
    expect(standard.checkOptions({ secrets })).toEqual([]);
  });
});
