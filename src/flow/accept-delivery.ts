import type { DeliveryStatus, DeliveryStore, Receipt } from "../domain/delivery.ts";
import type { ParseResult } from "../domain/provider.ts";
import type { PublishEvent } from "../domain/server-event.ts";
import type { Source } from "../domain/source.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { toOneLineJson } from "../lib/text.ts";
import { publishDeployments } from "./event-bus.ts";
import type { RouteDelivery } from "./route-delivery.ts";

/** What keeping works with. */
export interface KeepTools {
  readonly store: DeliveryStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly decide: RouteDelivery;
  readonly publish: PublishEvent;
  /** Writes one line to standard output. */
  readonly print: (line: string) => void;
  /** Says that deployments may be waiting. */
  readonly wake: () => void;
}

/** A delivery that was checked and read, and is not kept yet. */
export interface ParsedDelivery {
  readonly reading: Extract<ParseResult, { ok: true }>;
  readonly client: string;
  /** Only what may be kept. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** The delivery that it is run again from; null for one that came over the wire. */
  readonly replayOf: number | null;
}

export type AcceptOutcome =
  | {
      readonly kind: "kept";
      readonly status: DeliveryStatus;
      readonly reason: string | null;
      readonly receipt: Receipt;
    }
  /** It came before: `first` is the number of the delivery that did. */
  | { readonly kind: "duplicate"; readonly first: number };

/** Decides what a delivery deploys and keeps both in one act. Rejects with a {@link Fault} `unavailable`. */
export async function acceptDelivery(
  source: Source,
  delivery: ParsedDelivery,
  tools: KeepTools,
): Promise<AcceptOutcome> {
  const { reading, replayOf, ...kept } = delivery;
  const { event, identity } = reading;
  const { status, decisions, deploys, blockedByLock, notDeployed, reason } = tools.decide(source, event);
  const receivedAt = tools.clock.now();
  const pushedCommit = event.kind === "push" ? event.commit : null;
  const accepted = await tools.store.accept(
    { ...kept, source: source.name, event: event.kind, status, reason, receivedAt, identity, decisions },
    {
      pushedCommit,
      onRedelivery: source.onRedelivery,
      // A ping may be repeated, and so may an event that does nothing.
      detectDuplicates: event.kind === "push" || deploys || blockedByLock.length > 0,
      replayOf,
      blockedByLock,
      notDeployed,
    },
  );

  const fields = { source: source.name, client: delivery.client, event: event.kind };
  if (accepted.kind === "duplicate") {
    tools.log.warn({ ...fields, delivery: accepted.delivery }, "a delivery came before: nothing is run");
    return { kind: "duplicate", first: accepted.delivery };
  }
  const { kind: _, ...receipt } = accepted;
  const { delivery: number, redeliveryOf: redelivery_of, superseded } = receipt;
  const deployments = receipt.deployments.map(({ id, target }) => ({ id, target }));
  tools.log.info(
    { ...fields, delivery: number, deployments, redelivery_of, status, reason },
    "kept a delivery",
  );
  if (source.print) tools.print(toOneLineJson(reading.json));
  const told = { source: source.name, event: event.kind, status, reason };
  tools.publish({ kind: "delivery", delivery: number, ...told });
  publishDeployments([...receipt.deployments, ...superseded], tools.publish);
  if (deployments.length > 0) tools.wake();
  return { kind: "kept", status, reason, receipt };
}
