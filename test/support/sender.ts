import { createHmac } from "node:crypto";
import type { Webhook } from "standardwebhooks";

/** What a request is signed with. */
export interface SignOptions {
  /** The time of the signature. */
  readonly at?: Date;
  readonly secret?: string;
  /** The id of the delivery, where a header has it. */
  readonly id?: string;
}

/** Whether a repeated request runs again. */
type Repetition = "again" | "duplicate";

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
  /** What a second request is, by the way in which it repeats the first. */
  readonly repeated: { readonly sameId: Repetition; readonly newId: Repetition };
  /** Whether the vendor's library accepts a request of ours; null where there is no library. */
  readonly accepts: ((headers: Headers, body: string) => boolean | Promise<boolean>) | null;
  /** The credential by other algorithms or in other forms, which must be refused. */
  readonly downgrade: (body: string, at: Date) => readonly string[];
}

/** Unix seconds. */
export const secondsOf = (at: Date) => Math.floor(at.getTime() / 1000);

/** An HMAC, independent of the code under test. */
export const hmac = (
  algorithm: string,
  key: string | Buffer,
  text: string,
  encoding: "hex" | "base64" = "hex",
) => createHmac(algorithm, key).update(text).digest(encoding);

/** The secret of senders that take any. */
export const SECRET = "a secret of the tests, long enough";
const OTHER_SECRET = "another secret of the tests, long enough";
/** A secret of Standard Webhooks. */
export const STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_STANDARD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/** Whether a check that throws on a refusal accepts. */
export const accepted = (check: () => unknown): boolean => {
  try {
    check();
    return true;
  } catch {
    return false;
  }
};

/** Signs with a library of Standard Webhooks, with headers of this prefix. */
export function standardHeaders(prefix: string, library: new (secret: string) => Pick<Webhook, "sign">) {
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
export function standardDowngrades(body: string, at: Date): readonly string[] {
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

/** A secret of the same form that no source has. */
export function otherSecretOf({ secret }: Sender): string {
  return secret === STANDARD_SECRET ? OTHER_STANDARD_SECRET : OTHER_SECRET;
}
