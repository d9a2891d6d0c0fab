import type { Client } from "../domain/client.ts";
import type { RefusalCode } from "../domain/codes.ts";
import { selectHeaders } from "../domain/delivery.ts";
import type {
  Challenge,
  Handshake,
  RawRequest,
  RefusalStatus,
  UnreadablePayload,
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
  const { store, clock, log, attemptLimiter } = services;
  const { handler } = source;
  const { body, client } = request;
  const wait = handler.usesGuessableSecrets ? attemptLimiter.retryAfter(client) : 0;
  if (wait > 0) return { kind: "too many attempts", wait };
  const known =
    handler.handshake === null ? null : await findClient(source, handler.handshake, client, services);
  // Only passwords take time. The usual request is verified, parsed and passed to the store without a pause.
  const verifying = handler.verify(request, known, clock.now());
  const verified = verifying instanceof Promise ? await verifying : verifying;
  if (verified.kind === "refused") {
    if (verified.isThrottled) attemptLimiter.recordFailure(client);
    if (verified.code === "client_expired" && known !== null) await store.forgetClient(known);
    const isUnknown = verified.code === "client_unknown" && client === null;
    const code = isUnknown ? "client_address_unknown" : verified.code;
    return { kind: "refused", status: verified.status, code };
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

async function findClient(
  { name }: Source,
  { prefixV6 }: Handshake,
  address: string | null,
  { store }: ReceiveServices,
): Promise<Client | null> {
  return address === null ? null : store.findClient(name, maskClient(address, prefixV6));
}
