import { createHmac, hash, timingSafeEqual } from "node:crypto";
import type { RefusalCode } from "../domain/codes.ts";
import type { VerifyResult } from "../domain/provider.ts";
import { AppError } from "../lib/errors.ts";
import type { Secret } from "../lib/secret.ts";

/** The format of a signature header: a prefix, then the HMAC of the raw body. */
export interface SignatureStyle {
  readonly algorithm: "sha256" | "sha512";
  /** Lower-case hex, or base64 with padding (RFC 4648, section 4). */
  readonly encoding: "hex" | "base64";
  readonly prefix: string;
}

const DIGEST_BYTES = { sha256: 32, sha512: 64 } as const;

/** The signed content: the raw body, or several parts one after the other. */
export type SignedContent = Uint8Array | readonly (string | Uint8Array)[];

/** The key of an HMAC: bytes, or a text for its UTF-8 bytes. */
export type Key = string | Uint8Array;

/** Returns the signature header for what is signed. Throws on an empty key. */
export function writeSignature(
  key: Key,
  content: SignedContent,
  { algorithm, encoding, prefix }: SignatureStyle,
): string {
  return prefix + hmac(algorithm, key, content).toString(encoding);
}

/**
 * Whether two texts are equal. Their SHA-256 digests are compared in constant time, so that the time reveals neither
 * where they differ nor how long the expected one is.
 */
export function equalInConstantTime(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b));
}

/**
 * Verifies a signature, or any of several, against any of the secrets. It must be exactly what {@link writeSignature}
 * returns; for a text of another length or prefix no HMAC is computed. Throws when a secret is not loaded.
 *
 * @param toKey derives the key from a secret; by default it is the secret itself.
 */
export function verifySignature(
  signatures: string | readonly string[] | null,
  content: SignedContent,
  secrets: readonly Secret[],
  style: SignatureStyle,
  toKey: (secret: string) => Key = (secret) => secret,
): boolean {
  const written = typeof signatures === "string" ? [signatures] : (signatures ?? []);
  const shown = written.filter((each) => isSignature(each, style)).map((each) => Buffer.from(each));
  if (shown.length === 0) return false;
  let verified = false;
  // Every secret is tried even after a match, so that the time does not reveal which one matched. The HMAC of a large
  // body is computed once for each secret, however many signatures are shown.
  for (const secret of secrets) {
    const expected = Buffer.from(writeSignature(toKey(secret.reveal()), content, style));
    for (const each of shown) {
      if (each.length === expected.length && timingSafeEqual(expected, each)) verified = true;
    }
  }
  return verified;
}

/** Verifies the signature of a request as {@link verifySignature} does. Null is a missing signature. */
export function checkSignature(
  shown: string | readonly string[] | null,
  content: SignedContent,
  secrets: readonly Secret[],
  style: SignatureStyle,
): VerifyResult {
  if (shown === null) return refuseSignature("signature_missing");
  return verifySignature(shown, content, secrets, style)
    ? { kind: "verified" }
    : refuseSignature("signature_mismatch");
}

/** Returns the secret that composed requests are signed with. Throws an {@link AppError} `configuration` without one. */
export function requireSecret([secret]: readonly Secret[], provider: string): Secret {
  if (secret !== undefined) return secret;
  throw new AppError("configuration", `the ${provider} source has no secret to sign with`);
}

/** The request has no valid signature. A signature cannot be guessed, so that the attempt is not counted. */
export function refuseSignature(code: RefusalCode): VerifyResult {
  return { kind: "refused", status: "signature verification failed", code, isThrottled: false };
}

/** Whether a text has the prefix and the length of a signature. */
function isSignature(text: string, { algorithm, encoding, prefix }: SignatureStyle): boolean {
  const bytes = DIGEST_BYTES[algorithm];
  const length = encoding === "hex" ? bytes * 2 : Math.ceil(bytes / 3) * 4;
  return text.length === prefix.length + length && text.startsWith(prefix);
}

function hmac(algorithm: SignatureStyle["algorithm"], key: Key, content: SignedContent): Buffer {
  // HMAC accepts an empty key, which anyone could use.
  if (key.length === 0) throw new Error("the secret is empty");
  const digest = createHmac(algorithm, key);
  for (const part of content instanceof Uint8Array ? [content] : content) digest.update(part);
  return digest.digest();
}

function digest(text: string): Buffer {
  return hash("sha256", text, "buffer");
}
