import type { RawRequest, SampleRequest } from "../../domain/provider.ts";
import { AppError } from "../../lib/errors.ts";
import type { Secret } from "../../lib/secret.ts";
import { encodeField } from "../form.ts";
import { type SignatureStyle, writeSignature } from "../hmac.ts";
import { describePing, describePush, HOOK_ID, REPOSITORY_ID } from "./example.ts";

/**
 * A request as GitHub would send it, signed with the first secret. Throws a {@link AppError} `configuration` when
 * there is none.
 */
export function composeDelivery(message: SampleRequest, secrets: readonly Secret[]): RawRequest {
  const [secret] = secrets;
  if (secret === undefined)
    throw new AppError("configuration", "a github source without secrets cannot sign");
  const json = writeJson(message);
  const body = message.form ? encodeField("payload", json) : json;
  const headers = new Headers({
    "content-type": message.form ? "application/x-www-form-urlencoded" : "application/json",
    "user-agent": "GitHub-Hookshot/hooklatch",
    "x-github-event": message.kind === "payload" ? message.event : message.kind,
    "x-github-delivery": message.deliveryId,
    "x-github-hook-id": String(HOOK_ID),
    "x-github-hook-installation-target-id": String(REPOSITORY_ID),
    "x-github-hook-installation-target-type": "repository",
    [SIGNATURE_HEADER]: writeSignature(secret.reveal(), body, SIGNATURE_STYLE),
  });
  return { headers, body };
}

function writeJson(message: SampleRequest): Uint8Array {
  if (message.kind === "payload") return message.json;
  return Buffer.from(JSON.stringify(message.kind === "ping" ? describePing(message) : describePush(message)));
}

/** The only signature of GitHub's that counts; the SHA-1 in `X-Hub-Signature` does not. */
export const SIGNATURE_HEADER = "x-hub-signature-256";

/**
 * `sha256=` and the 64 lower-case hex digits of the HMAC-SHA256 of the raw body.
 * Source: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 */
export const SIGNATURE_STYLE: SignatureStyle = { algorithm: "sha256", encoding: "hex", prefix: "sha256=" };
