import { expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { slack } from "../../../src/providers/slack/index.ts";
import { post } from "../../support/request.ts";
import { loadSecret } from "../load-secret.ts";
import { describeTimedSignature, SECONDS } from "../timed.contract.ts";

const SECRET = "8f742231b10e8888abcd99yyyzzz85a5";
const handler = slack.createHandler({ secrets: [loadSecret("an older secret"), loadSecret(SECRET)] });

function sign(body: string, time: number | string = SECONDS, secret = SECRET) {
  const digest = createHmac("sha256", secret).update(`v0:${time}:${body}`).digest("hex");
  return post({ "x-slack-request-timestamp": String(time), "x-slack-signature": `v0=${digest}` }, body);
}

describeTimedSignature({ name: "Slack", handler, sign, credential: "x-slack-signature" });

test("Slack's documented vector verifies", () => {
  const own = slack.createHandler({ secrets: [loadSecret("8f742231b10e8888abcd99yyyzzz85a5")] });
  const body =
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
  const signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
  const request = post({ "x-slack-request-timestamp": "1531420618", "x-slack-signature": signature }, body);
  expect(own.verify(request, null, new Date(1_531_420_618_000))).toEqual({ kind: "verified" });
});

test("Slack's test of the URL is a challenge, in one short line", () => {
  const parse = (body: object) => handler.parse(post({}, JSON.stringify(body)));
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
