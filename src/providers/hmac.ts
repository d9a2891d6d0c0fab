import { createHmac, hash, timingSafeEqual } from "node:crypto";
import type { Secret } from "../lib/secret.ts";

/** The format of a signature header: a prefix, then the HMAC of the raw body. */
export interface SignatureStyle {
  readonly algorithm: "sha256" | "sha512";
  /** Lower-case hex, or base64 with padding (RFC 4648, section 4). */
  readonly encoding: "hex" | "base64";
  readonly prefix: string;
}

const DIGEST_BYTES = { sha256: 32, sha512: 64 } as const;

/** Returns the signature header for a body and the secret's UTF-8 bytes. Throws on an empty secret. */
export function writeSignature(
  secret: string,
  body: Uint8Array,
  { algorithm, encoding, prefix }: SignatureStyle,
): string {
  return prefix + hmac(algorithm, secret, body).toString(encoding);
}

/**
 * Whether two texts are equal. Their SHA-256 digests are compared in constant time, so that the time reveals neither
 * where they differ nor how long the expected one is.
 */
export function equalInConstantTime(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b));
}

/**
 * Verifies a signature header against any of the secrets. It must have the exact format of {@link writeSignature}; for
 * any other no HMAC is computed. Throws when a secret is not loaded.
 */
export function verifySignature(
  header: string | null,
  body: Uint8Array,
  secrets: readonly Secret[],
  style: SignatureStyle,
): boolean {
  const shown = readSignature(header ?? "", style);
  if (shown === null) return false;
  let verified = false;
  // Every secret is tried even after a match, so that the time does not reveal which one matched.
  for (const secret of secrets) {
    if (timingSafeEqual(hmac(style.algorithm, secret.reveal(), body), shown)) verified = true;
  }
  return verified;
}

/** The digest in a header; null unless the header is in canonical form. */
function readSignature(header: string, { algorithm, encoding, prefix }: SignatureStyle): Buffer | null {
  const bytes = DIGEST_BYTES[algorithm];
  const length = encoding === "hex" ? bytes * 2 : Math.ceil(bytes / 3) * 4;
  if (header.length !== prefix.length + length || !header.startsWith(prefix)) return null;
  const written = header.slice(prefix.length);
  const shown = Buffer.from(written, encoding);
  // The decoder skips invalid characters; only canonical text encodes to itself.
  return shown.length === bytes && shown.toString(encoding) === written ? shown : null;
}

function hmac(algorithm: SignatureStyle["algorithm"], secret: string, body: Uint8Array): Buffer {
  // HMAC accepts an empty key, which anyone could use.
  if (secret === "") throw new Error("the secret is empty");
  return createHmac(algorithm, secret).update(body).digest();
}

function digest(text: string): Buffer {
  return hash("sha256", text, "buffer");
}
