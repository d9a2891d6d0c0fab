import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sign, verify } from "@octokit/webhooks-methods";
import { isValidSlackRequest } from "@slack/bolt";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";
import { Webhook as SvixWebhook } from "svix";

/** What a request is signed with. */
export interface SignOptions {
  /** The time of the signature. */
  readonly at?: Date;
  readonly secret?: string;
  /** The id of the delivery, where a header has it. */
  readonly id?: string;
}

/** A kind of sender, whose requests a library of its vendor signs and verifies. */
export interface Sender {
  /** The name of the source, whose path is `/name`. */
  readonly name: string;
  /** Keys of the source: the provider and its secrets, from `$NAME_SECRET` or as listed. */
  readonly keys: string;
  readonly secret: string;
  /** A repository as the forge names it; null for senders that push nothing. */
  readonly repository: string | null;
  /** The header that proves the sender. */
  readonly credential: string;
  /** Whether the time is signed. */
  readonly isTimed: boolean;
  /** The `status` of a refusal. */
  readonly refusal: "signature verification failed" | "not authorised";
  /** The headers of a request with this body, but for the content type. */
  readonly sign: (body: string, options?: SignOptions) => Promise<Record<string, string>>;
  /** Whether the vendor's library accepts a request of ours; null where there is no library. */
  readonly accepts: ((headers: Headers, body: string) => boolean | Promise<boolean>) | null;
  /** The credential by other algorithms or in other forms, which must be refused. */
  readonly downgrade: (body: string, at: Date) => readonly string[];
}

const FIXTURES = join(import.meta.dir, "../fixtures");

/** A payload that a forge sent, as text. */
export function readFixture(name: string): string {
  return readFileSync(join(FIXTURES, name), "utf8");
}

/** Unix seconds. */
const secondsOf = (at: Date) => Math.floor(at.getTime() / 1000);

const hmac = (algorithm: string, key: string | Buffer, text: string, encoding: "hex" | "base64" = "hex") =>
  createHmac(algorithm, key).update(text).digest(encoding);

const SECRET = "a secret of the tests, long enough";
const OTHER_SECRET = "another secret of the tests, long enough";
const STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const STRIPE_SECRET = "whsec_0123456789abcdef0123456789abcdef";
const SLACK_SECRET = "8f742231b10e8888abcd99yyyzzz85a5";
const OTHER_STANDARD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

const accepted = (check: () => unknown): boolean => {
  try {
    check();
    return true;
  } catch {
    return false;
  }
};

function standardHeaders(prefix: string, library: new (secret: string) => Pick<Webhook, "sign">) {
  return async (
    body: string,
    { at = new Date(), secret = STANDARD_SECRET, id = crypto.randomUUID() }: SignOptions = {},
  ) => ({
    [`${prefix}-id`]: id,
    [`${prefix}-timestamp`]: String(secondsOf(at)),
    [`${prefix}-signature`]: new library(secret).sign(id, at, body),
  });
}

/** Other versions and keys of a signature of Standard Webhooks for the id `x`. */
function standardDowngrades(body: string, at: Date): readonly string[] {
  const content = `x.${secondsOf(at)}.${body}`;
  const key = Buffer.from(STANDARD_SECRET.slice("whsec_".length), "base64");
  const valid = hmac("sha256", key, content, "base64");
  return [
    `v2,${valid}`,
    `v1a,${valid}`,
    valid,
    `v1,${hmac("sha256", key, content)}`,
    `v1,${hmac("sha1", key, content, "base64")}`,
    `v1,${hmac("sha512", key, content, "base64")}`,
    // The text of the secret is not the key.
    `v1,${hmac("sha256", STANDARD_SECRET, content, "base64")}`,
    `v1,${hmac("sha256", key, body, "base64")}`,
  ];
}

/** Every kind of sender that has a provider of its own. */
export const SENDERS: readonly Sender[] = [
  {
    name: "github",
    keys: 'provider = "github"\nsecrets = ["env:GITHUB_SECRET"]',
    secret: SECRET,
    repository: "octocat/blog",
    credential: "x-hub-signature-256",
    isTimed: false,
    refusal: "signature verification failed",
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
  {
    name: "gitlab",
    keys: 'provider = "gitlab"\nsecrets = ["env:GITLAB_SECRET"]',
    secret: SECRET,
    repository: "group/sub/site",
    credential: "x-gitlab-token",
    isTimed: false,
    refusal: "not authorised",
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
  {
    name: "gitea",
    keys: 'provider = "gitea"\nsecrets = ["env:GITEA_SECRET"]',
    secret: SECRET,
    repository: "team/site",
    credential: "x-gitea-signature",
    isTimed: false,
    refusal: "signature verification failed",
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
  {
    name: "bitbucket",
    keys: 'provider = "bitbucket"\nsecrets = ["env:BITBUCKET_SECRET"]',
    secret: SECRET,
    repository: "team/site",
    credential: "x-hub-signature",
    isTimed: false,
    refusal: "signature verification failed",
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
  {
    name: "standard",
    keys: 'provider = "standard"\nsecrets = ["env:STANDARD_SECRET"]',
    secret: STANDARD_SECRET,
    repository: null,
    credential: "webhook-signature",
    isTimed: true,
    refusal: "signature verification failed",
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
    sign: standardHeaders("svix", SvixWebhook),
    accepts: (headers, body) =>
      accepted(() => new SvixWebhook(STANDARD_SECRET).verify(body, Object.fromEntries(headers))),
    downgrade: standardDowngrades,
  },
  {
    name: "stripe",
    keys: 'provider = "stripe"\nsecrets = ["env:STRIPE_SECRET"]',
    secret: STRIPE_SECRET,
    repository: null,
    credential: "stripe-signature",
    isTimed: true,
    refusal: "signature verification failed",
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
  {
    name: "slack",
    keys: 'provider = "slack"\nsecrets = ["env:SLACK_SECRET"]',
    secret: SLACK_SECRET,
    repository: null,
    credential: "x-slack-signature",
    isTimed: true,
    refusal: "signature verification failed",
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

/** A secret of the same form that no source has. */
export function otherSecretOf({ secret }: Sender): string {
  return secret === STANDARD_SECRET ? OTHER_STANDARD_SECRET : OTHER_SECRET;
}

/** The environment with the secrets of every sender. */
export const SENDER_SECRETS: Readonly<Record<string, string>> = Object.fromEntries(
  SENDERS.map(({ name, secret }) => [`${name.toUpperCase().replace("-", "_")}_SECRET`, secret]),
);

/** The `[[source]]` tables of senders. */
export function describeSources(senders: readonly Sender[] = SENDERS): string {
  return senders
    .map(({ name, keys }) => `[[source]]\nname = "${name}"\npath = "/${name}"\n${keys}\nprint = false\n`)
    .join("");
}
