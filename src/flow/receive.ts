import type { Client } from "../domain/client.ts";
import type { RefusalCode } from "../domain/codes.ts";
import { selectHeaders } from "../domain/delivery.ts";
import type { RawRequest, RefusalStatus, VerifyResult } from "../domain/provider.ts";
import type { Source } from "../domain/source.ts";
import { maskClient } from "../lib/ip-address.ts";
import { type AcceptOutcome, type AcceptServices, acceptDelivery } from "./accept-delivery.ts";
import type { TooManyAttempts } from "./attempt-limiter.ts";
import type { FlowServices } from "./services.ts";

/** A webhook request as it arrived, with its sender's normalised address. */
export interface ReceivedRequest extends RawRequest {
  /** Null when the connection is gone already. */
  readonly client: string | null;
}

/** What became of a webhook request. */
export type ReceiveOutcome =
  | AcceptOutcome
  | { readonly kind: "refused"; readonly status: RefusalStatus; readonly code: RefusalCode }
  | TooManyAttempts
  | {
      readonly kind: "unreadable";
      readonly code: "invalid_payload" | "unexpected_payload";
      /** Names fields, never their values. */
      readonly reason: string;
    };

type ReceiveServices = AcceptServices & Pick<FlowServices, "logThrottled" | "attemptLimiter">;

/**
 * The way of one webhook request: verify the sender, parse the body, decide which targets it deploys, and store it with
 * the deployments. A 2xx may be sent only after this resolved with `stored` or `duplicate`. Rejects with an
 * {@link AppError} `unavailable` when the store cannot take it.
 */
export async function receive(
  source: Source,
  request: ReceivedRequest,
  services: ReceiveServices,
): Promise<ReceiveOutcome> {
  const { logThrottled, attemptLimiter } = services;
  const { handler } = source;
  const fields = { source: source.name, client: request.client };
  const wait = handler.usesGuessableSecrets ? attemptLimiter.retryAfter(request.client) : 0;
  if (wait > 0) {
    logThrottled({ ...fields, code: "too_many_attempts" }, "request refused: too many attempts");
    return { kind: "too many attempts", wait };
  }
  const verified = await verify(source, request, services);
  if (!verified.ok) {
    const { status, code } = verified;
    logThrottled({ ...fields, code }, `request refused: ${status}`);
    return { kind: "refused", status, code };
  }
  const parsed = handler.parse(request);
  if (!parsed.ok) {
    const { reason } = parsed;
    const code = parsed.kind === "misshapen" ? "unexpected_payload" : "invalid_payload";
    logThrottled({ ...fields, code, reason }, "request refused: invalid payload");
    return { kind: "unreadable", code, reason };
  }
  const { body, client } = request;
  const headers = selectHeaders(request.headers, handler.storedHeaders);
  return acceptDelivery(
    source,
    { parsed, client: client ?? "unknown", headers, body, replayOf: null },
    services,
  );
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
  if (result.ok) return result;
  if (result.isThrottled) attemptLimiter.recordFailure(request.client);
  if (result.code === "client_expired" && client !== null) await store.forgetClient(client);
  return result;
}
