import { Fault } from "../../domain/fault.ts";
import type { Message, RawRequest } from "../../domain/provider.ts";
import type { Secret } from "../../domain/secret.ts";
import { encodeField } from "../form.ts";
import { writeSignature } from "../hmac.ts";
import { describePing, describePush, HOOK_ID } from "./example.ts";
import { REPOSITORY_ID } from "./example-repository.ts";
import { SIGNATURE_HEADER, SIGNATURE_STYLE } from "./signature.ts";

/**
 * A request as GitHub would send it, signed with the first secret. Throws a {@link Fault} `configuration` when
 * there is none.
 */
export function composeDelivery(message: Message, secrets: readonly Secret[]): RawRequest {
  const [secret] = secrets;
  if (secret === undefined) throw new Fault("configuration", "a github source without secrets cannot sign");
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

function writeJson(message: Message): Uint8Array {
  if (message.kind === "payload") return message.json;
  return Buffer.from(JSON.stringify(message.kind === "ping" ? describePing(message) : describePush(message)));
}
