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
    body: message.kind === "payload" ? message.json : Buffer.from(JSON.stringify(describe(message))),
  };
}

function describe(message: Exclude<Message, { kind: "payload" }>) {
  if (message.kind === "ping") return { ping: true };
  const { ref, before, after, repository } = message;
  return { ref, before, after, deleted: isZeroCommit(after), repository: { full_name: repository } };
}
