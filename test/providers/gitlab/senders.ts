import { Webhook } from "standardwebhooks";
import {
  accepted,
  hmac,
  SECRET,
  type Sender,
  STANDARD_SECRET,
  standardDowngrades,
  standardHeaders,
} from "../../support/sender.ts";

/** The senders of the provider, whose requests a library signs and verifies where there is one. */
export const senders: readonly Sender[] = [
  {
    name: "gitlab",
    keys: 'provider = "gitlab"\nsecrets = ["env:GITLAB_SECRET"]',
    secret: SECRET,
    repository: "group/sub/site",
    credential: "x-gitlab-token",
    isTimed: false,
    refusal: "not authorised",
    // Whoever could replay a request knows the token.
    repeated: { sameId: "again", newId: "again" },
    sign: async (_, { secret = SECRET, id = crypto.randomUUID() } = {}) => ({
      "x-gitlab-event": "Push Hook",
      "x-gitlab-webhook-uuid": "7f6a9f10-2b1c-4a58-9f4e-8f9a1f3f6c01",
      "idempotency-key": id,
      "x-gitlab-token": secret,
    }),
    accepts: null,
    downgrade: (body) => [hmac("sha256", SECRET, body), `Bearer ${SECRET}`],
  },
  {
    name: "gitlab-signed",
    keys: 'provider = "gitlab"\nsigning_secrets = ["env:GITLAB_SIGNED_SECRET"]\nsecrets = ["env:GITLAB_SECRET"]',
    secret: STANDARD_SECRET,
    repository: "group/sub/site",
    credential: "webhook-signature",
    isTimed: true,
    refusal: "signature verification failed",
    // The id is signed, so that a new id is a new delivery.
    repeated: { sameId: "again", newId: "again" },
    sign: async (body, options) => ({
      "x-gitlab-event": "Push Hook",
      "x-gitlab-webhook-uuid": "7f6a9f10-2b1c-4a58-9f4e-8f9a1f3f6c01",
      // The token alone is not enough.
      "x-gitlab-token": SECRET,
      ...(await standardHeaders("webhook", Webhook)(body, options)),
    }),
    accepts: (headers, body) =>
      accepted(() => new Webhook(STANDARD_SECRET).verify(body, Object.fromEntries(headers))),
    downgrade: standardDowngrades,
  },
];
