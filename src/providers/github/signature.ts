import type { SignatureStyle } from "../hmac.ts";

/** The only signature of GitHub's that counts; the SHA-1 in `X-Hub-Signature` does not. */
export const SIGNATURE_HEADER = "x-hub-signature-256";

/**
 * `sha256=` and the 64 lower-case hex digits of the HMAC-SHA256 of the raw body.
 * Source: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 */
export const SIGNATURE_STYLE: SignatureStyle = { algorithm: "sha256", encoding: "hex", prefix: "sha256=" };
