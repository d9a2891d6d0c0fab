import { Webhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";
import {
  accepted,
  type Sender,
  STANDARD_SECRET,
  standardDowngrades,
  standardHeaders,
} from "../../support/sender.ts";

/** The senders of the provider, whose requests a library signs and verifies where there is one. */
export const senders: readonly Sender[] = [
  {
    name: "standard",
    keys: 'provider = "standard"\nsecrets = ["env:STANDARD_SECRET"]',
    secret: STANDARD_SECRET,
    repository: null,
    credential: "webhook-signature",
    isTimed: true,
    refusal: "signature verification failed",
    // The id is signed, so that a new id is a new delivery.
    repeated: { sameId: "duplicate", newId: "again" },
    sign: standardHeaders("webhook", Webhook),
    accepts: (headers, body) =>
      accepted(() => new Webhook(STANDARD_SECRET).verify(body, Object.fromEntries(headers))),
    downgrade: standardDowngrades,
  },
  {
    name: "svix",
    keys: 'provider = "standard"\nsecrets = ["env:SVIX_SECRET"]',
    secret: STANDARD_SECRET,
    repository: null,
    credential: "svix-signature",
    isTimed: true,
    refusal: "signature verification failed",
    // The id is signed, so that a new id is a new delivery.
    repeated: { sameId: "duplicate", newId: "again" },
    sign: standardHeaders("svix", SvixWebhook),
    accepts: (headers, body) =>
      accepted(() => new SvixWebhook(STANDARD_SECRET).verify(body, Object.fromEntries(headers))),
    downgrade: standardDowngrades,
  },
];
