import type { DeliveryStatus, DeploymentCause, Receipt } from "../domain/delivery.ts";
import { MAX_QUEUED } from "../domain/deployment.ts";
import { actionOf, type Event, nameOf } from "../domain/event.ts";
import type { Decision } from "../domain/match.ts";
import type { ParsedPayload } from "../domain/provider.ts";
import { createRuleValues } from "../domain/rule.ts";
import type { Source } from "../domain/source.ts";
import { EVERYWHERE, type Placement, type Target } from "../domain/target.ts";
import { AppError } from "../lib/errors.ts";
import { toOneLineJson } from "../lib/text.ts";
import { publishDeployments } from "./event-bus.ts";
import type { RouteDelivery } from "./route-delivery.ts";
import type { FlowServices } from "./services.ts";

export type AcceptServices = Pick<
  FlowServices,
  "store" | "clock" | "log" | "publish" | "wakeWorker" | "print" | "targets"
> & { readonly routeDelivery: RouteDelivery };

/** A delivery that was verified and parsed, and is not stored yet. */
export interface ParsedDelivery {
  readonly parsed: ParsedPayload;
  readonly client: string;
  /** Only headers that may be stored. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** The delivery that is replayed; null for a delivery from the network. */
  readonly replayOf: number | null;
}

export type AcceptOutcome =
  | {
      readonly kind: "stored";
      readonly status: DeliveryStatus;
      readonly reason: string | null;
      readonly receipt: Receipt;
    }
  /** It repeats the delivery `first` and was not stored. */
  | { readonly kind: "duplicate"; readonly first: number };

/** How many targets that are not deployed a log line names. */
const MAX_LOGGED = 10;

/**
 * Decides what a delivery deploys, and stores it together with the deployments. Rejects with an {@link AppError}
 * `unavailable` when the store cannot accept it.
 */
export async function acceptDelivery(
  source: Source,
  delivery: ParsedDelivery,
  services: AcceptServices,
): Promise<AcceptOutcome> {
  const { store, clock, log, publish, wakeWorker, print, routeDelivery, targets } = services;
  const { parsed, replayOf, client, headers, body } = delivery;
  const { events, identity } = parsed;
  const [event] = events;
  const readValues = createRuleValues(parsed.json, headers);
  const routed = routeDelivery(source, events, readValues);
  const { status, reason, decisions, otherTargets, deploys, decidedBy, queueAll, gated } = routed;
  const decisiveOf = (target: string) => events[decidedBy.get(target) ?? 0] ?? event;
  const accepted = await store.accept(
    {
      source: source.name,
      event: event.kind,
      eventName: nameOf(event),
      action: actionOf(event),
      status,
      reason,
      decisions,
      otherTargets,
      receivedAt: clock.now(),
      client,
      identity,
      headers,
      body,
    },
    {
      commitOf: (target) => findCommit(decisiveOf(target), gated.includes(target)),
      causeOf: (target) => findCause(decisiveOf(target), gated.includes(target)),
      ci: event.kind === "ci" ? event : null,
      repeatedBody: source.handler.repeatedBody,
      onRedelivery: source.onRedelivery,
      // Repeating a ping or an event without effect does no harm. Senders that sign ids repeat deliveries on their own.
      detectDuplicates:
        event.kind === "push" ||
        event.kind === "ci" ||
        deploys ||
        decisions.some(({ code }) => code === "locked") ||
        source.handler.repeatedBody === "new",
      replayOf,
      queueAll,
      placementOf: createPlacementLookup(targets),
    },
  );

  const fields = { source: source.name, client, event: event.kind };
  if (accepted.kind === "duplicate") {
    log.warn({ ...fields, delivery: accepted.delivery }, "duplicate delivery ignored");
    return { kind: "duplicate", first: accepted.delivery };
  }
  if (accepted.kind === "queue full") {
    const reason = `the queue of target ${accepted.target} is full: ${MAX_QUEUED} deployments wait`;
    throw new AppError("unavailable", reason);
  }
  const { kind: _, ...receipt } = accepted;
  const { delivery: id, redeliveryOf: redelivery_of, superseded } = receipt;
  const deployments = receipt.deployments.map(({ id, target }) => ({ id, target }));
  log.info(
    { ...fields, delivery: id, deployments, redelivery_of, status, reason, ...describeSkipped(decisions) },
    "delivery stored",
  );
  if (source.print) print(toOneLineJson(parsed.json));
  publish({ kind: "delivery", delivery: id, source: source.name, event: event.kind, status, reason });
  publishDeployments([...receipt.deployments, ...superseded], publish);
  if (deployments.length > 0) wakeWorker();
  return { kind: "stored", status, reason, receipt };
}

/** Finds where targets are deployed. A store with one host never asks. */
function createPlacementLookup(targets: () => readonly Target[]): (target: string) => Placement {
  let placements: ReadonlyMap<string, Placement> | null = null;
  return (target) => {
    placements ??= new Map(targets().map(({ name, placement = EVERYWHERE }) => [name, placement]));
    return placements.get(target) ?? EVERYWHERE;
  };
}

/** The commit that an event names; null where it names none for the target. `isGated`: the target waits for CI. */
function findCommit(event: Event, isGated: boolean): string | null {
  return event.kind === "push" || (event.kind === "ci" && isGated) ? event.commit : null;
}

/** Without a gate, CI deploys the tip, as any event that `events` names. */
function findCause(event: Event, isGated: boolean): DeploymentCause {
  if (event.kind === "ci" && isGated) {
    return { trigger: "ci", choice: { kind: "ci", commit: event.commit } };
  }
  const isNamed = event.kind === "push" || event.kind === "release";
  return { trigger: isNamed ? event.kind : "event", choice: null };
}

/** The decisions against a deployment as fields of a log line. */
function describeSkipped(decisions: readonly Decision[]): object {
  const skipped = decisions.filter(({ deploy }) => !deploy);
  if (skipped.length === 0) return {};
  return { not_deployed: skipped.slice(0, MAX_LOGGED).map(({ target, code }) => ({ target, code })) };
}
