import { sign, verify } from "@octokit/webhooks-methods";
import { hmac, SECRET, type Sender } from "../../support/sender.ts";

/** The senders of the provider, whose requests a library signs and verifies where there is one. */
export const senders: readonly Sender[] = [
  {
    name: "github",
    keys: 'provider = "github"\nsecrets = ["env:GITHUB_SECRET"]',
    secret: SECRET,
    repository: "octocat/blog",
    credential: "x-hub-signature-256",
    isTimed: false,
    refusal: "signature verification failed",
    // Nothing but the body is signed: a body under a new id is a replay.
    repeated: { sameId: "again", newId: "duplicate" },
    sign: async (body, { secret = SECRET, id = crypto.randomUUID() } = {}) => ({
      "x-github-event": "push",
      "x-github-delivery": id,
      "x-github-hook-id": "1",
      "x-hub-signature-256": await sign(secret, body),
    }),
    accepts: (headers, body) => verify(SECRET, body, headers.get("x-hub-signature-256") ?? "none"),
    downgrade: (body) => [
      `sha1=${hmac("sha1", SECRET, body)}`,
      `sha512=${hmac("sha512", SECRET, body)}`,
      hmac("sha256", SECRET, body),
      `sha256=${hmac("sha256", SECRET, body).toUpperCase()}`,
      `sha256=${hmac("sha256", SECRET, body, "base64")}`,
    ],
  },
];
