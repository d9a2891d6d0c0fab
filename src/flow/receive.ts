import type { Client } from "../domain/client.ts";
import type { RefusalCode } from "../domain/codes.ts";
import { selectHeaders } from "../domain/delivery.ts";
import type {
  Challenge,
  RawRequest,
  RefusalStatus,
  UnreadablePayload,
  VerifyResult,
} from "../domain/provider.ts";
import type { Source } from "../domain/source.ts";
import { maskClient } from "../lib/ip-address.ts";
import { type AcceptOutcome, type AcceptServices, acceptDelivery } from "./accept-delivery.ts";
import type { TooManyAttempts } from "./attempt-limiter.ts";
import type { FlowServices } from "./services.ts";

/** A webhook request on the public listener. */
export interface ReceivedRequest extends RawRequest {
  /** The sender's normalised address; null when the connection is already closed. */
  readonly client: string | null;
}

export type ReceiveOutcome =
  | AcceptOutcome
  | { readonly kind: "refused"; readonly status: RefusalStatus; readonly code: RefusalCode }
  | TooManyAttempts
  | Challenge
  | UnreadablePayload;

type ReceiveServices = AcceptServices & Pick<FlowServices, "attemptLimiter">;

/**
 * Handles one webhook request: verifies the sender, parses the body, decides which targets it deploys, and stores it
 * with the deployments. A 2xx may be sent only after this resolved with `stored` or `duplicate`. Rejects with an
 * {@link AppError} `unavailable` when the store cannot accept it.
 */
export async function receive(
  source: Source,
  request: ReceivedRequest,
  services: ReceiveServices,
): Promise<ReceiveOutcome> {
  const { log, attemptLimiter } = services;
  const { handler } = source;
  const { body, client } = request;
  const wait = handler.usesGuessableSecrets ? attemptLimiter.retryAfter(client) : 0;
  if (wait > 0) return { kind: "too many attempts", wait };
  const verified = await verify(source, request, services);
  if (verified.kind === "refused") {
    const { kind, status, code } = verified;
    return { kind, status, code };
  }
  const parsed = handler.parse(request);
  if (parsed.kind === "unreadable") return parsed;
  if (parsed.kind === "challenge") {
    log.info({ source: source.name, client }, "challenge answered");
    return parsed;
  }
  const stored = [...handler.storedHeaders, ...source.keepHeaders];
  const headers = selectHeaders(request.headers, stored, handler.credentialHeaders);
  const delivery = { parsed, client: client ?? "unknown", headers, body, replayOf: null };
  return acceptDelivery(source, delivery, services);
}

/** Verifies the sender. Counts a wrong token or password, and removes an expired client. */
async function verify(
  { name, handler }: Source,
  request: ReceivedRequest,
  { store, clock, attemptLimiter }: ReceiveServices,
): Promise<VerifyResult> {
  let client: Client | null = null;
  if (handler.handshake !== null && request.client !== null) {
    client = await store.findClient(name, maskClient(request.client, handler.handshake.prefixV6));
  }
  const result = await handler.verify(request, client, clock.now());
  if (result.kind === "verified") return result;
  if (result.isThrottled) attemptLimiter.recordFailure(request.client);
  if (result.code === "client_expired" && client !== null) await store.forgetClient(client);
  const isUnknown = result.code === "client_unknown" && request.client === null;
  return isUnknown ? { ...result, code: "client_address_unknown" } : result;
}
