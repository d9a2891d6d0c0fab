import { type Static, Type } from "@sinclair/typebox";
import { REFUSAL_CODES } from "../domain/codes.ts";
import type { RefusedRequest } from "../domain/refused-request.ts";
import { codeOf, Id, nullable, Time } from "./schema.ts";

/** A request that was refused. */
export const ApiRefusal = Type.Object({
  id: Type.Integer({ ...Id, description: "increases with each refused request since the start" }),
  time: Time,
  source: Type.String(),
  client: nullable(Type.String(), "the sender's address; null when it is not known"),
  code: codeOf(REFUSAL_CODES, "why it was refused:"),
  reason: Type.String(),
  hint: nullable(Type.String(), "what to do about it"),
  provider_id: nullable(Type.String(), "the sender's id of the delivery, not verified"),
});
export type ApiRefusal = Static<typeof ApiRefusal>;

/** A refused request as JSON. */
export function toApiRefusal(refused: RefusedRequest): ApiRefusal {
  const { id, at, source, client, code, reason, hint, providerId } = refused;
  return {
    id,
    time: at.toISOString(),
    source,
    client,
    code,
    reason: reason ?? toFragment(REFUSAL_CODES[code]),
    hint,
    provider_id: providerId,
  };
}

/** A sentence as the exact reasons are written: without a capital and a full stop. */
function toFragment(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1).replace(/\.$/, "");
}
