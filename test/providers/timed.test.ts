import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import type { RawRequest } from "../../src/domain/provider.ts";
import { slack } from "../../src/providers/slack/index.ts";
import { stripe } from "../../src/providers/stripe/index.ts";
import { DESTINATION, post } from "../support/request.ts";
import { loadSecret } from "./load-secret.ts";

const SECRET = "whsec_0123456789abcdef0123456789abcdef";
const NOW = DESTINATION.now;
const SECONDS = NOW.getTime() / 1000;
const hex = (text: string, secret = SECRET) => createHmac("sha256", secret).update(text).digest("hex");
const BODY = '{"id":"evt_1","type":"invoice.paid"}';

const SENDERS = [
  {
    name: "Stripe",
    handler: stripe.createHandler({ secrets: [loadSecret("an older secret"), loadSecret(SECRET)] }),
    sign: (body: string, time: number | string = SECONDS, secret = SECRET) =>
      post({ "stripe-signature": `t=${time},v1=${hex(`${time}.${body}`, secret)},v0=x` }, body),
  },
  {
    name: "Slack",
    handler: slack.createHandler({ secrets: [loadSecret("an older secret"), loadSecret(SECRET)] }),
    sign: (body: string, time: number | string = SECONDS, secret = SECRET) =>
      post(
        {
          "x-slack-request-timestamp": String(time),
          "x-slack-signature": `v0=${hex(`v0:${time}:${body}`, secret)}`,
        },
        body,
      ),
  },
];

/** Two headers with the signature, as they arrive. */
function doubled(request: RawRequest): RawRequest {
  for (const name of ["stripe-signature", "x-slack-signature"]) {
    const value = request.headers.get(name);
    if (value !== null) request.headers.append(name, value);
  }
  return request;
}

describe.each(SENDERS)("$name", ({ handler, sign }) => {
  test("accepts a signature of up to five minutes away", () => {
    for (const time of [SECONDS - 300, SECONDS, SECONDS + 300]) {
      expect(handler.verify(sign(BODY, time), null, NOW)).toEqual({ kind: "verified" });
    }
  });

  test.each([
    ["an hour old", sign(BODY, SECONDS - 3600), "timestamp_too_old"],
    ["early", sign(BODY, SECONDS + 301), "timestamp_too_new"],
    ["of a time with letters", sign(BODY, `${SECONDS}abc`), "timestamp_invalid"],
    ["of another secret", sign(BODY, SECONDS, "another"), "signature_mismatch"],
    ["of another body", { ...sign(BODY), body: Buffer.from("{}") }, "signature_mismatch"],
    ["doubled", doubled(sign(BODY)), "signature_mismatch"],
    ["missing", post({}, BODY), "signature_missing"],
  ])("refuses a signature that is %s", (_, request, code) => {
    expect(handler.verify(request, null, NOW)).toMatchObject({ kind: "refused", code });
  });
});

test("Stripe's id and type come from the signed body", () => {
  expect(SENDERS[0]?.handler.parse(post({}, BODY))).toMatchObject({
    events: [{ kind: "other", name: "invoice.paid" }],
    identity: { id: "evt_1", hook: null },
  });
});

test("Stripe's header may have one time only", () => {
  const request = SENDERS[0]?.sign(BODY);
  request?.headers.set("stripe-signature", `t=1,${request.headers.get("stripe-signature")}`);
  if (request === undefined) throw new Error("no request");
  expect(SENDERS[0]?.handler.verify(request, null, NOW)).toMatchObject({ code: "signature_mismatch" });
});

test("Slack's documented vector verifies", () => {
  const own = slack.createHandler({ secrets: [loadSecret("8f742231b10e8888abcd99yyyzzz85a5")] });
  const body =
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
  const signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
  const request = post({ "x-slack-request-timestamp": "1531420618", "x-slack-signature": signature }, body);
  expect(own.verify(request, null, new Date(1_531_420_618_000))).toEqual({ kind: "verified" });
});

test("Slack's test of the URL is a challenge, in one short line", () => {
  const parse = (body: object) => SENDERS[1]?.handler.parse(post({}, JSON.stringify(body)));
  expect(parse({ type: "url_verification", challenge: "3eZbrw1a" })).toEqual({
    kind: "challenge",
    text: "3eZbrw1a",
  });
  expect(parse({ type: "url_verification", challenge: "a\nb" })).toMatchObject({ kind: "unreadable" });
  expect(parse({ type: "event_callback", event_id: "Ev1", event: { type: "app_mention" } })).toMatchObject({
    events: [{ kind: "other", name: "app_mention" }],
    identity: { id: "Ev1", hook: null },
  });
});
