import { sign, verify } from "@octokit/webhooks-methods";
import { hmac, SECRET, type Sender } from "../../support/sender.ts";

/** The senders of the provider, whose requests a library signs and verifies where there is one. */
export const senders: readonly Sender[] = [
  {
    name: "gitea",
    keys: 'provider = "gitea"\nsecrets = ["env:GITEA_SECRET"]',
    secret: SECRET,
    repository: "team/site",
    credential: "x-gitea-signature",
    isTimed: false,
    refusal: "signature verification failed",
    // Each attempt has an id of its own.
    repeated: { sameId: "again", newId: "again" },
    sign: async (body, { secret = SECRET, id = crypto.randomUUID() } = {}) => ({
      "x-gitea-event": "push",
      "x-gitea-event-type": "push",
      "x-gitea-delivery": id,
      "x-github-event": "push",
      // The HMAC of GitHub's library, without its prefix.
      "x-gitea-signature": (await sign(secret, body)).slice("sha256=".length),
    }),
    accepts: (headers, body) => verify(SECRET, body, `sha256=${headers.get("x-gitea-signature")}`),
    downgrade: (body) => [
      `sha256=${hmac("sha256", SECRET, body)}`,
      hmac("sha1", SECRET, body),
      hmac("sha512", SECRET, body),
      hmac("sha256", SECRET, body).toUpperCase(),
    ],
  },
];
