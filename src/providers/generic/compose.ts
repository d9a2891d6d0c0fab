import { isZeroCommit } from "../../domain/event.ts";
import type { Destination, RawRequest, SampleRequest } from "../../domain/provider.ts";
import { AppError } from "../../lib/errors.ts";
import { writeSignature } from "../hmac.ts";
import { describeStyle, type GenericSettings } from "./options.ts";

/**
 * Composes a request with the first of the tokens and secrets. Throws an {@link AppError} `configuration` for a form,
 * which generic sources do not accept, and for a source that requires a password, of which only the hash is known.
 */
export function composeRequest(
  message: SampleRequest,
  settings: GenericSettings,
  { path, query }: Destination,
): RawRequest {
  if (message.form) {
    throw new AppError("configuration", "a generic source accepts only JSON; send it without --form");
  }
  const body = message.kind === "payload" ? message.json : Buffer.from(JSON.stringify(describe(message)));
  const headers = new Headers({ "content-type": "application/json", "user-agent": "hooklatch" });
  const { bearer, basic, hmac } = settings;
  if (basic !== undefined) {
    throw new AppError(
      "configuration",
      "the source requires a password, and only its hash is known; send the request with another program, such as curl --user",
    );
  }
  const [token] = bearer ?? [];
  if (token !== undefined) headers.set("authorization", `Bearer ${token.reveal()}`);
  const [secret] = hmac?.secrets ?? [];
  if (hmac !== undefined && secret !== undefined) {
    headers.set(hmac.header, writeSignature(secret.reveal(), body, describeStyle(hmac)));
  }
  return { method: "POST", path, query, headers, body };
}

function describe(message: Exclude<SampleRequest, { kind: "payload" }>) {
  if (message.kind === "ping") return { ping: true };
  const { ref, before, after, repository } = message;
  return { ref, before, after, deleted: isZeroCommit(after), repository: { full_name: repository } };
}
