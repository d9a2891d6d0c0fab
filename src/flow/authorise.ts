import type { Client } from "../domain/client.ts";
import type { RefusalCode } from "../domain/codes.ts";
import type { Handshake } from "../domain/provider.ts";
import type { Source } from "../domain/source.ts";
import { maskClient } from "../lib/ip-address.ts";
import type { TooManyAttempts } from "./attempt-limiter.ts";
import type { FlowServices } from "./services.ts";

/** A GET that asks to authorise its sender's address. */
export interface HandshakeRequest {
  readonly query: URLSearchParams;
  readonly headers: Headers;
  /** The sender's normalised address; null when the connection is already closed. */
  readonly client: string | null;
}

export type HandshakeOutcome =
  | { readonly kind: "authorised"; readonly challenge: string | null }
  | { readonly kind: "bad token"; readonly code: RefusalCode }
  /** The token is right, but there is no address to authorise. */
  | { readonly kind: "address unknown" }
  | TooManyAttempts;

/**
 * Authorises the sender's address to POST to the source when the request shows the source's token. Rejects with an
 * {@link AppError} `unavailable` when the store cannot accept the client.
 */
export async function authorise(
  source: Source,
  handshake: Handshake,
  request: HandshakeRequest,
  services: Pick<FlowServices, "store" | "clock" | "log" | "attemptLimiter" | "publish">,
): Promise<HandshakeOutcome> {
  const { store, clock, log, attemptLimiter, publish } = services;
  const wait = attemptLimiter.retryAfter(request.client);
  if (wait > 0) return { kind: "too many attempts", wait };
  const result = handshake.verify(request.query, request.headers);
  if (result.kind === "refused") {
    if (result.isThrottled) attemptLimiter.recordFailure(request.client);
    return { kind: "bad token", code: result.code };
  }
  if (request.client === null) return { kind: "address unknown" };
  const now = clock.now();
  const client: Client = {
    source: source.name,
    address: maskClient(request.client, handshake.prefixV6),
    authorisedAt: now,
    expiresAt: new Date(now.getTime() + handshake.lifetime),
  };
  await store.authorise(client);
  log.info(
    { source: client.source, client: client.address, expires_at: client.expiresAt },
    "client authorised",
  );
  publish({ kind: "client", source: client.source, address: client.address, change: "authorised" });
  return { kind: "authorised", challenge: result.challenge };
}
