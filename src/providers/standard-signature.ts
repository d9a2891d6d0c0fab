import { createPublicKey, verify } from "node:crypto";
import type { OptionIssue, RawRequest, VerifyResult } from "../domain/provider.ts";
import { AppError } from "../lib/errors.ts";
import type { Secret } from "../lib/secret.ts";
import { refuseSignature, type SignatureStyle, verifySignature, writeSignature } from "./hmac.ts";
import { checkSignedTime, writeSignedTime } from "./signed-time.ts";

/**
 * The signatures of Standard Webhooks 1.0.0: HMAC-SHA256 (`v1`) or ed25519 (`v1a`) over `id.timestamp.body`.
 * Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
const STYLE: SignatureStyle = { algorithm: "sha256", encoding: "base64", prefix: "v1," };

/** Printable ASCII without a dot, which separates the signed parts, and without the comma of joined headers. */
const ID = /^[!-+/-~-]{1,128}$/;

/** The header of an ed25519 public key in DER (RFC 8410), before its 32 bytes. */
const ED25519 = Buffer.from("302a300506032b6570032100", "hex");

/** The headers that are stored. They hold no secret. */
export const STANDARD_HEADERS: readonly string[] = ["webhook-id", "webhook-timestamp"];

/** The header that holds the signature. */
export const STANDARD_CREDENTIALS: readonly string[] = ["webhook-signature"];

/** Whether names of the three headers begin with `webhook-`, as in the specification, or `svix-`, as Svix sends them. */
export type HeaderPrefix = "webhook" | "svix";

/** A generated secret. */
export function formatStandardSecret(bytes: Buffer): string {
  return `whsec_${bytes.toString("base64")}`;
}

/** Problems of loaded secrets, which must be `whsec_` with 24 to 64 bytes, or a public key as `whpk_` with 32. */
export function checkStandardSecrets(key: string, secrets: readonly Secret[]): readonly OptionIssue[] {
  return secrets.flatMap((secret, index) => {
    if (!secret.loaded) return [];
    const bytes = decode(secret.reveal())?.length ?? 0;
    const isValid = isPublicKey(secret) ? bytes === 32 : bytes >= 24 && bytes <= 64;
    if (isValid) return [];
    const message = `the value of ${secret} must be "whsec_" and 24 to 64 bytes in base64, or "whpk_" and a public key of 32 bytes`;
    return [{ path: [key, index], message }];
  });
}

/** Verifies the signature and the time of a request. */
export function verifyStandard(
  { headers, body }: RawRequest,
  secrets: readonly Secret[],
  now: Date,
  prefix: HeaderPrefix = "webhook",
): VerifyResult {
  const id = headers.get(`${prefix}-id`);
  const timestamp = headers.get(`${prefix}-timestamp`);
  const signatures = headers.get(`${prefix}-signature`);
  if (id === null || timestamp === null || signatures === null) return refuseSignature("signature_missing");
  if (!ID.test(id)) return refuseSignature("signature_mismatch");
  const code = checkSignedTime(timestamp, now);
  if (code !== null) return refuseSignature(code);
  const content = [`${id}.${timestamp}.`, body];
  const shown = signatures.split(" ");
  // Two headers arrive joined by `, `. No signature contains a second comma.
  if (shown.some((each) => each.split(",").length > 2)) return refuseSignature("signature_mismatch");
  const shared = secrets.filter((secret) => !isPublicKey(secret));
  const isSigned =
    verifySignature(shown, content, shared, STYLE, toKey) ||
    verifyPublic(shown, content, secrets.filter(isPublicKey));
  return isSigned ? { kind: "verified" } : refuseSignature("signature_mismatch");
}

/** The headers of a signed request; null when no shared secret is known. */
export function signStandard(
  id: string,
  body: Uint8Array,
  secrets: readonly Secret[],
  now: Date,
): Record<string, string> | null {
  const secret = secrets.find((each) => !isPublicKey(each));
  if (secret === undefined) return null;
  const timestamp = writeSignedTime(now);
  const content = [`${id}.${timestamp}.`, body];
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": writeSignature(toKey(secret.reveal()), content, STYLE),
  };
}

function isPublicKey(secret: Secret): boolean {
  return secret.reveal().startsWith("whpk_");
}

/** Throws an {@link AppError} `configuration` for a secret that {@link checkStandardSecrets} did not check. */
function toKey(secret: string): Uint8Array {
  const key = decode(secret);
  if (key === null) throw new AppError("configuration", 'the secret must be "whsec_" and base64');
  return key;
}

/** The bytes after the prefix; null for other text. */
function decode(secret: string): Buffer | null {
  const [, text = ""] = /^(?:whsec|whpk)_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  const bytes = Buffer.from(text, "base64");
  return bytes.length > 0 && bytes.toString("base64").replace(/=+$/, "") === text.replace(/=+$/, "")
    ? bytes
    : null;
}

function verifyPublic(
  shown: readonly string[],
  content: readonly (string | Uint8Array)[],
  secrets: readonly Secret[],
): boolean {
  if (secrets.length === 0) return false;
  // A few are enough for a rotation. Each costs a computation over the whole body.
  const signatures = shown.filter((each) => /^v1a,[A-Za-z0-9+/]{86}==$/.test(each)).slice(0, 4);
  if (signatures.length === 0) return false;
  const signed = Buffer.concat(content.map((part) => Buffer.from(part)));
  return secrets.some((secret) => {
    const key = createPublicKey({
      key: Buffer.concat([ED25519, toKey(secret.reveal())]),
      format: "der",
      type: "spki",
    });
    return signatures.some((each) => verify(null, signed, key, Buffer.from(each.slice(4), "base64")));
  });
}
