import type { Client, ClientStore } from "../domain/client.ts";
import type { Handshake } from "../domain/provider.ts";
import type { PublishEvent } from "../domain/server-event.ts";
import type { Source } from "../domain/source.ts";
import type { Clock } from "../lib/clock.ts";
import { maskClient } from "../lib/ip-address.ts";
import type { Log } from "../lib/log.ts";
import type { ThrottledLog } from "../lib/throttled-log.ts";
import type { AttemptLimiter, TooManyAttempts } from "./attempt-limiter.ts";

/** A GET that wants its sender's address admitted. */
export interface HandshakeRequest {
  readonly query: URLSearchParams;
  readonly headers: Headers;
  /** The sender's normalised address; null when the connection is gone already. */
  readonly client: string | null;
}

export type HandshakeOutcome =
  | { readonly kind: "admitted"; readonly challenge: string | null }
  | { readonly kind: "bad token" }
  | TooManyAttempts;

/** What a handshake works with. */
export interface AuthoriseTools {
  readonly store: ClientStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly complain: ThrottledLog;
  readonly guesses: AttemptLimiter;
  readonly publish: PublishEvent;
}

/** Admits the sender's address to one source for the source's time, when it shows the source's token. */
export async function authorise(
  source: Source,
  handshake: Handshake,
  request: HandshakeRequest,
  { store, clock, log, complain, guesses, publish }: AuthoriseTools,
): Promise<HandshakeOutcome> {
  const fields = { source: source.name, client: request.client };
  const wait = guesses.retryAfter(request.client);
  if (wait > 0) {
    complain(fields, "refused a client: too many attempts");
    return { kind: "too many attempts", wait };
  }
  const verdict = handshake.verify(request.query, request.headers);
  if (!verdict.ok || request.client === null) {
    if (!verdict.ok && verdict.guess) guesses.recordFailure(request.client);
    complain(fields, "refused a client: bad token");
    return { kind: "bad token" };
  }
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
    "authorised a client",
  );
  publish({ kind: "client", source: client.source, address: client.address, change: "authorised" });
  return { kind: "admitted", challenge: verdict.challenge };
}
