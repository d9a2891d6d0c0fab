import type { Client, ClientStore } from "../domain/client.ts";
import { selectHeaders } from "../domain/delivery.ts";
import type { ParseResult, RawRequest, RefusalReason } from "../domain/provider.ts";
import type { Source } from "../domain/source.ts";
import { maskClient } from "../lib/ip-address.ts";
import type { ThrottledLog } from "../lib/throttled-log.ts";
import { type AcceptOutcome, acceptDelivery, type KeepTools } from "./accept-delivery.ts";
import type { AttemptLimiter, TooManyAttempts } from "./attempt-limiter.ts";

/** A webhook request as it came, with its sender's normalised address. */
export interface ReceivedRequest extends RawRequest {
  /** Null when the connection is gone already. */
  readonly client: string | null;
}

export type ReceiveOutcome =
  | AcceptOutcome
  | { readonly kind: "refused"; readonly refusal: RefusalReason }
  | TooManyAttempts
  | { readonly kind: "unreadable"; readonly reading: Extract<ParseResult, { ok: false }> };

/** What receiving works with. */
export interface ReceiveTools extends KeepTools {
  readonly store: KeepTools["store"] & ClientStore;
  readonly complain: ThrottledLog;
  readonly guesses: AttemptLimiter;
}

/**
 * The way of one webhook request: who sent it, what it says, which targets want it, kept with the
 * deployments it asks for. A 2xx may be answered only after this resolved with `kept` or `duplicate`.
 * Rejects with a {@link Fault} `unavailable` when it could not be kept.
 */
export async function receive(
  source: Source,
  request: ReceivedRequest,
  tools: ReceiveTools,
): Promise<ReceiveOutcome> {
  const fields = { source: source.name, client: request.client };
  const wait = source.handler.usesGuessableSecrets ? tools.guesses.retryAfter(request.client) : 0;
  if (wait > 0) {
    tools.complain(fields, "refused a delivery: too many attempts");
    return { kind: "too many attempts", wait };
  }
  const refusal = await refuse(source, request, tools);
  if (refusal !== null) {
    tools.complain(fields, `refused a delivery: ${refusal}`);
    return { kind: "refused", refusal };
  }
  const reading = source.handler.parse(request);
  if (!reading.ok) {
    tools.complain({ ...fields, reason: reading.reason }, "refused a delivery: invalid payload");
    return { kind: "unreadable", reading };
  }
  const { headers, body, client } = request;
  const kept = selectHeaders(headers, source.handler.storedHeaders);
  return acceptDelivery(
    source,
    { reading, client: client ?? "unknown", headers: kept, body, replayOf: null },
    tools,
  );
}

/** Why the sender is not let in, or null. A client whose time ran out is forgotten. */
async function refuse(
  { name, handler }: Source,
  request: ReceivedRequest,
  { store, clock, guesses }: ReceiveTools,
): Promise<RefusalReason | null> {
  let client: Client | null = null;
  if (handler.handshake !== null && request.client !== null) {
    client = await store.findClient(name, maskClient(request.client, handler.handshake.prefixV6));
  }
  const verdict = await handler.verify(request, client, clock.now());
  if (verdict.ok) return null;
  if (verdict.guess) guesses.recordFailure(request.client);
  if (verdict.refusal === "authorisation timeout" && client !== null) await store.forgetClient(client);
  return verdict.refusal;
}
