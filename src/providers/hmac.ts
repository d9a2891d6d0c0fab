import { timingSafeEqual } from "node:crypto";
import type { Secret } from "../domain/secret.ts";

/** HMAC-SHA256 of the body under the secret's UTF-8 bytes, as 64 lower-case hex digits. Throws on an empty secret. */
export function signSha256(secret: string, body: Uint8Array): string {
  return hmac(secret, body).toString("hex");
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
 * Checks an `X-Hub-Signature-256` header: `sha256=` and the 64 lower-case hex digits of the HMAC-SHA256 of the raw
 * body under any of the secrets. Throws when a secret was never loaded, so that nothing is compared with nothing.
 * Source: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 */
export function verifySignature(
  header: string | null,
  body: Uint8Array,
  secrets: readonly Secret[],
): boolean {
  const [, hex] = /^sha256=([0-9a-f]{64})$/.exec(header ?? "") ?? [];
  if (hex === undefined) return false;
  // 64 hex digits are 32 bytes, as many as SHA-256 gives: the lengths that timingSafeEqual insists on are equal.
  const shown = Buffer.from(hex, "hex");
  let verified = false;
  // Every secret is tried even after one fitted, so that the time does not tell which one it was.
  for (const secret of secrets) {
    if (timingSafeEqual(hmac(secret.reveal(), body), shown)) verified = true;
  }
  return verified;
}

function hmac(secret: string, body: Uint8Array): Buffer {
  // HMAC itself would take an empty key, and everybody knows that one.
  if (secret === "") throw new Error("an empty secret signs nothing");
  return new Bun.CryptoHasher("sha256", secret).update(body).digest();
}

function digest(text: string): Buffer {
  return new Bun.CryptoHasher("sha256").update(text).digest();
}
