import { sign, verify } from "@octokit/webhooks-methods";
import { hmac, SECRET, type Sender } from "../../support/sender.ts";

/** The senders of the provider, whose requests a library signs and verifies where there is one. */
export const senders: readonly Sender[] = [
  {
    name: "bitbucket",
    keys: 'provider = "bitbucket"\nsecrets = ["env:BITBUCKET_SECRET"]',
    secret: SECRET,
    repository: "team/site",
    credential: "x-hub-signature",
    isTimed: false,
    refusal: "signature verification failed",
    // Nothing but the body is signed: a body under a new id is a replay.
    repeated: { sameId: "again", newId: "duplicate" },
    sign: async (body, { secret = SECRET, id = crypto.randomUUID() } = {}) => ({
      "x-event-key": "repo:push",
      "x-hook-uuid": "e59c7c6d-6ab2-4ba7-a5ea-5e8f2b6b7b54",
      "x-request-uuid": id,
      "x-hub-signature": await sign(secret, body),
    }),
    accepts: (headers, body) => verify(SECRET, body, headers.get("x-hub-signature") ?? "none"),
    downgrade: (body) => [
      `sha1=${hmac("sha1", SECRET, body)}`,
      `sha512=${hmac("sha512", SECRET, body)}`,
      hmac("sha256", SECRET, body),
    ],
  },
];
