import { isValidSlackRequest } from "@slack/bolt";
import { hmac, type Sender, secondsOf } from "../../support/sender.ts";

const SLACK_SECRET = "8f742231b10e8888abcd99yyyzzz85a5";

/** The senders of the provider, whose requests a library signs and verifies where there is one. */
export const senders: readonly Sender[] = [
  {
    name: "slack",
    keys: 'provider = "slack"\nsecrets = ["env:SLACK_SECRET"]',
    secret: SLACK_SECRET,
    repository: null,
    credential: "x-slack-signature",
    isTimed: true,
    refusal: "signature verification failed",
    // The id is in the body.
    repeated: { sameId: "duplicate", newId: "duplicate" },
    // Slack's libraries only verify. Tests check with one of them that it accepts this signature.
    sign: async (body, { at = new Date(), secret = SLACK_SECRET } = {}) => ({
      "x-slack-request-timestamp": String(secondsOf(at)),
      "x-slack-signature": `v0=${hmac("sha256", secret, `v0:${secondsOf(at)}:${body}`)}`,
    }),
    accepts: (headers, body) =>
      isValidSlackRequest({
        signingSecret: SLACK_SECRET,
        body,
        headers: {
          "x-slack-signature": headers.get("x-slack-signature") ?? "",
          "x-slack-request-timestamp": Number(headers.get("x-slack-request-timestamp")),
        },
      }),
    downgrade(body, at) {
      const content = `v0:${secondsOf(at)}:${body}`;
      return [
        `v1=${hmac("sha256", SLACK_SECRET, content)}`,
        hmac("sha256", SLACK_SECRET, content),
        `v0=${hmac("sha1", SLACK_SECRET, content)}`,
        `v0=${hmac("sha512", SLACK_SECRET, content)}`,
        `v0=${hmac("sha256", SLACK_SECRET, body)}`,
      ];
    },
  },
];
