import type { Client, ClientStore } from "../domain/client.ts";
import type { Clock } from "../domain/clock.ts";
import {
  chooseStatus,
  type DeliveryStatus,
  type DeliveryStore,
  keepHeaders,
  type Receipt,
} from "../domain/delivery.ts";
import type { Log } from "../domain/log.ts";
import { match, summarise } from "../domain/match.ts";
import type { RawRequest, Reading, Refusal } from "../domain/provider.ts";
import type { Source } from "../domain/source.ts";
import type { Target } from "../domain/target.ts";

/** A webhook request as it came, with its sender's normalised address. */
export interface ReceivedRequest extends RawRequest {
  /** Null when the connection is gone already. */
  readonly client: string | null;
}

export type ReceiveOutcome =
  | {
      readonly kind: "kept";
      readonly status: DeliveryStatus;
      readonly reason: string | null;
      readonly receipt: Receipt;
    }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | { readonly kind: "unreadable"; readonly reading: Extract<Reading, { ok: false }> };

/** What receiving works with. */
export interface ReceiveTools {
  readonly store: ClientStore & DeliveryStore;
  readonly clock: Clock;
  readonly log: Log;
  /** The targets that listen to a source, in the configuration's order. */
  readonly targetsOf: (source: Source) => readonly Target[];
  /** Writes one line to standard output. */
  readonly print: (line: string) => void;
  /** Says that deployments may be waiting. */
  readonly wake: () => void;
}

/**
 * The way of one webhook request: who sent it, what it says, which targets want it, kept with the
 * deployments it asks for. A 2xx may be answered only after this resolved with `kept`.
 * Rejects with a {@link Fault} `unavailable` when it could not be kept.
 */
export async function receive(
  source: Source,
  request: ReceivedRequest,
  tools: ReceiveTools,
): Promise<ReceiveOutcome> {
  const refusal = await refuse(source, request, tools);
  if (refusal !== null) {
    tools.log.warn({ source: source.name, client: request.client }, `refused a delivery: ${refusal}`);
    return { kind: "refused", refusal };
  }

  const reading = source.dialect.read(request);
  if (!reading.ok) {
    tools.log.warn(
      { source: source.name, client: request.client, reason: reading.reason },
      "refused a delivery: invalid payload",
    );
    return { kind: "unreadable", reading };
  }

  const decisions = match(reading.event, tools.targetsOf(source));
  const status = chooseStatus(source, reading.event, decisions);
  const reason = explain(source, status, decisions);
  const receipt = await tools.store.accept(
    {
      source: source.name,
      event: reading.event.kind,
      status,
      reason,
      receivedAt: tools.clock.now(),
      client: request.client ?? "unknown",
      providerId: reading.providerId,
      headers: keepHeaders(request.headers, source.dialect.keptHeaders),
      body: request.body,
      decisions,
    },
    reading.event.kind === "push" ? reading.event.commit : null,
  );

  tools.log.info(
    { source: source.name, client: request.client, ...receipt, event: reading.event.kind, status, reason },
    "kept a delivery",
  );
  if (source.print) tools.print(JSON.stringify(reading.payload));
  if (receipt.deployments.length > 0) tools.wake();
  return { kind: "kept", status, reason, receipt };
}

/** Why the sender is not let in, or null. A client whose time ran out is forgotten. */
async function refuse(
  source: Source,
  request: ReceivedRequest,
  tools: ReceiveTools,
): Promise<Refusal | null> {
  let client: Client | null = null;
  if (source.dialect.handshake !== null && request.client !== null) {
    client = await tools.store.findClient(source.name, request.client);
  }
  const verdict = source.dialect.verify(request, client, tools.clock.now());
  if (verdict.ok) return null;
  if (verdict.refusal === "authorisation timeout" && client !== null) {
    await tools.store.forgetClient(client.source, client.address);
  }
  return verdict.refusal;
}

/** What to tell the sender of targets that were not deployed; a plain `success` or `pong` needs no words. */
function explain(
  source: Source,
  status: DeliveryStatus,
  decisions: Parameters<typeof summarise>[0],
): string | null {
  if (status === "pong") return null;
  if (status !== "skipped" && decisions.every((decision) => decision.deploy)) return null;
  return summarise(decisions, source.name);
}
