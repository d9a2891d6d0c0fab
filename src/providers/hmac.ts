import { timingSafeEqual } from "node:crypto";
import type { Secret } from "../lib/secret.ts";

/** How a signature is written into its header: the prefix, then the HMAC of the raw body. */
export interface SignatureStyle {
  readonly algorithm: "sha256" | "sha512";
  /** Hex in lower case, or base64 with its padding (RFC 4648, section 4). */
  readonly encoding: "hex" | "base64";
  readonly prefix: string;
}

const DIGEST_BYTES = { sha256: 32, sha512: 64 } as const;

/** The signature of the body under the secret's UTF-8 bytes, as its header has it. Throws on an empty secret. */
export function writeSignature(
  secret: string,
  body: Uint8Array,
  { algorithm, encoding, prefix }: SignatureStyle,
): string {
  return prefix + hmac(algorithm, secret, body).toString(encoding);
}

/**
 * Whether two texts are equal, in a time that tells neither where they differ nor how long the expected one is:
 * not the texts are compared but their SHA-256 digests, 32 bytes each whatever goes in. Two different texts pass
 * only if their digests collide, at odds of 1 in 2^256 for any guess.
 */
export function equalInConstantTime(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b));
}

/**
 * Checks the header of a signature: exactly as {@link writeSignature} writes it, under any of the secrets. A header
 * of another form costs no HMAC. Throws when a secret was never loaded, so that nothing is compared with nothing.
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
  // Every secret is tried even after one fitted, so that the time does not tell which one it was.
  for (const secret of secrets) {
    // As many bytes as the algorithm gives were read: the lengths that timingSafeEqual insists on are equal.
    if (timingSafeEqual(hmac(style.algorithm, secret.reveal(), body), shown)) verified = true;
  }
  return verified;
}

/** The bytes in the header; null when it is not the one text that stands for them. */
function readSignature(header: string, { algorithm, encoding, prefix }: SignatureStyle): Buffer | null {
  const bytes = DIGEST_BYTES[algorithm];
  const length = encoding === "hex" ? bytes * 2 : Math.ceil(bytes / 3) * 4;
  if (header.length !== prefix.length + length || !header.startsWith(prefix)) return null;
  const written = header.slice(prefix.length);
  const shown = Buffer.from(written, encoding);
  // The decoder passes over what it does not know; written again, only the canonical text is the same.
  return shown.length === bytes && shown.toString(encoding) === written ? shown : null;
}

function hmac(algorithm: SignatureStyle["algorithm"], secret: string, body: Uint8Array): Buffer {
  // HMAC itself would take an empty key, and everybody knows that one.
  if (secret === "") throw new Error("an empty secret signs nothing");
  return new Bun.CryptoHasher(algorithm, secret).update(body).digest();
}

function digest(text: string): Buffer {
  return new Bun.CryptoHasher("sha256").update(text).digest();
}
