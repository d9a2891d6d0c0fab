import Stripe from "stripe";
import { hmac, type Sender, secondsOf } from "../../support/sender.ts";

const STRIPE_SECRET = "whsec_0123456789abcdef0123456789abcdef";

/** The senders of the provider, whose requests a library signs and verifies where there is one. */
export const senders: readonly Sender[] = [
  {
    name: "stripe",
    keys: 'provider = "stripe"\nsecrets = ["env:STRIPE_SECRET"]',
    secret: STRIPE_SECRET,
    repository: null,
    credential: "stripe-signature",
    isTimed: true,
    refusal: "signature verification failed",
    // The id is in the body.
    repeated: { sameId: "duplicate", newId: "duplicate" },
    sign: async (payload, { at = new Date(), secret = STRIPE_SECRET } = {}) => ({
      "stripe-signature": await Stripe.webhooks.generateTestHeaderStringAsync({
        payload,
        secret,
        timestamp: secondsOf(at),
      }),
    }),
    accepts: (headers, body) =>
      Stripe.webhooks.constructEventAsync(body, headers.get("stripe-signature") ?? "", STRIPE_SECRET).then(
        () => true,
        () => false,
      ),
    downgrade(body, at) {
      const time = secondsOf(at);
      const content = `${time}.${body}`;
      return [
        `t=${time},v0=${hmac("sha256", STRIPE_SECRET, content)}`,
        `t=${time},v1=${hmac("sha1", STRIPE_SECRET, content)}`,
        `t=${time},v1=${hmac("sha512", STRIPE_SECRET, content)}`,
        `v1=${hmac("sha256", STRIPE_SECRET, content)}`,
        `t=${time},v1=${hmac("sha256", STRIPE_SECRET, body)}`,
        `t=${time}`,
        // The key of Standard Webhooks: the bytes after the prefix.
        `t=${time},v1=${hmac("sha256", Buffer.from(STRIPE_SECRET.slice(6), "base64"), content)}`,
      ];
    },
  },
];
