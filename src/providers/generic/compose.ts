import { isZeroCommit } from "../../domain/event.ts";
import { Fault } from "../../domain/fault.ts";
import type { Message, RawRequest } from "../../domain/provider.ts";

/**
 * A request as an authorised client would send it. Nothing is signed: the client's address is what counts.
 * Throws a {@link Fault} `configuration` when a form is asked for, which generic sources do not take.
 */
export function composeRequest(message: Message): RawRequest {
  if (message.form)
    throw new Fault("configuration", "a generic source takes JSON only: send it without --form");
  return {
    headers: new Headers({ "content-type": "application/json", "user-agent": "hooklatch" }),
    body: new TextEncoder().encode(writeJson(message)),
  };
}

function writeJson(message: Message): string {
  if (message.kind === "payload") return message.json;
  if (message.kind === "ping") return JSON.stringify({ ping: true });
  const { ref, before, after, repository } = message;
  return JSON.stringify({
    ref,
    before,
    after,
    deleted: isZeroCommit(after),
    repository: { full_name: repository },
  });
}
