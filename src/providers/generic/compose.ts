import { isZeroCommit } from "../../domain/event.ts";
import type { Destination, RawRequest, SampleRequest } from "../../domain/provider.ts";
import { AppError } from "../../lib/errors.ts";
import { writeSignature } from "../hmac.ts";
import { writeSignedTime } from "../signed-time.ts";
import { describeStyle, type GenericSettings } from "./options.ts";
import { writeSignedContent } from "./verify.ts";

/**
 * Composes a request with the first of the tokens and secrets. Throws an {@link AppError} `configuration` for a form,
 * which generic sources do not accept, and for a source that requires a password, of which only the hash is known.
 */
export function composeRequest(
  message: SampleRequest,
  settings: GenericSettings,
  { path, query: given, now }: Destination,
): RawRequest {
  if (message.form) {
    throw new AppError("configuration", "a generic source accepts only JSON; send it without --form");
  }
  const body = message.kind === "payload" ? message.json : Buffer.from(JSON.stringify(describe(message)));
  const headers = new Headers({ "content-type": "application/json", "user-agent": "hooklatch" });
  const { bearer, basic, hmac, header, query: parameter, id_header: idHeader } = settings;
  const query = new URLSearchParams(given);
  const request: RawRequest = { method: "POST", path, query, headers, body };
  if (basic !== undefined) {
    throw new AppError(
      "configuration",
      "the source requires a password, and only its hash is known; send the request with another program, such as curl --user",
    );
  }
  const [token] = bearer ?? [];
  if (token !== undefined) headers.set("authorization", `Bearer ${token.reveal()}`);
  const [headerToken] = header?.tokens ?? [];
  if (header !== undefined && headerToken !== undefined) headers.set(header.name, headerToken.reveal());
  const [queryToken] = parameter?.tokens ?? [];
  if (parameter !== undefined && queryToken !== undefined) query.set(parameter.name, queryToken.reveal());
  if (idHeader !== undefined) headers.set(idHeader, message.deliveryId);
  if (hmac?.timestamp_header !== undefined) headers.set(hmac.timestamp_header, writeSignedTime(now));
  const [secret] = hmac?.secrets ?? [];
  if (hmac !== undefined && secret !== undefined) {
    const content = writeSignedContent(request, settings);
    headers.set(hmac.header, writeSignature(secret.reveal(), content, describeStyle(hmac)));
  }
  return request;
}

function describe(message: Exclude<SampleRequest, { kind: "payload" }>) {
  if (message.kind === "ping") return { ping: true };
  const { ref, before, after, repository } = message;
  return { ref, before, after, deleted: isZeroCommit(after), repository: { full_name: repository } };
}
