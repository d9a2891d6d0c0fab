import { isZeroCommit } from "../../domain/event.ts";
import type { RawRequest, SampleRequest } from "../../domain/provider.ts";
import { AppError } from "../../lib/errors.ts";
import { writeSignature } from "../hmac.ts";
import { describeStyle, type GenericSettings } from "./options.ts";

/**
 * A request as the sender of a generic source would make it, with the first of the tokens and secrets. Throws a
 * {@link AppError} `configuration` when a form is asked for, which generic sources do not take, and for a source that
 * requires a password, of which only the hash is known.
 */
export function composeRequest(message: SampleRequest, settings: GenericSettings): RawRequest {
  if (message.form)
    throw new AppError("configuration", "a generic source takes JSON only: send it without --form");
  const body = message.kind === "payload" ? message.json : Buffer.from(JSON.stringify(describe(message)));
  const headers = new Headers({ "content-type": "application/json", "user-agent": "hooklatch" });
  for (const [name, value] of prove(body, settings)) headers.set(name, value);
  return { headers, body };
}

/** The headers that prove what each request must: what is set is required. */
function prove(body: Uint8Array, { bearer, basic, hmac }: GenericSettings): [name: string, value: string][] {
  if (basic !== undefined) {
    throw new AppError(
      "configuration",
      "the source requires a password, and only its hash is known: send it with another program, such as curl --user",
    );
  }
  const proofs: [string, string][] = [];
  const [token] = bearer ?? [];
  if (token !== undefined) proofs.push(["authorization", `Bearer ${token.reveal()}`]);
  const [secret] = hmac?.secrets ?? [];
  if (hmac !== undefined && secret !== undefined) {
    proofs.push([hmac.header, writeSignature(secret.reveal(), body, describeStyle(hmac))]);
  }
  return proofs;
}

function describe(message: Exclude<SampleRequest, { kind: "payload" }>) {
  if (message.kind === "ping") return { ping: true };
  const { ref, before, after, repository } = message;
  return { ref, before, after, deleted: isZeroCommit(after), repository: { full_name: repository } };
}
