import { chooseStatus, type DeliveryStatus } from "../domain/delivery.ts";
import type { Events } from "../domain/event.ts";
import { describeLock, type Lock } from "../domain/lock.ts";
import { type Decision, isAbout, matchTarget, summariseDecisions } from "../domain/match.ts";
import { applyCondition, type ReadRuleValues } from "../domain/rule.ts";
import type { Source } from "../domain/source.ts";
import { queuesEveryDelivery, type Target } from "../domain/target.ts";
import type { Locks } from "./locks.ts";
import type { FlowServices } from "./services.ts";

/** The decisions of a source's targets about a delivery. */
export interface RoutingResult {
  readonly status: DeliveryStatus;
  /** The decisions of the targets that the delivery is about. Only those can deploy. */
  readonly decisions: readonly Decision[];
  /** By target, the index of the event that a decision follows from. */
  readonly decidedBy: ReadonlyMap<string, number>;
  /** How many other targets listen to the source. */
  readonly otherTargets: number;
  /** Whether any target is deployed. */
  readonly deploys: boolean;
  /** The targets that deploy every delivery in order. */
  readonly queueAll: readonly string[];
  /** The targets that wait for CI. */
  readonly gated: readonly string[];
  /** Why targets are not deployed, for the sender, up to ten by name; null where nothing needs explaining. */
  readonly reason: string | null;
}

/** `readValues` reads what the conditions of targets are about. */
export type RouteDelivery = (source: Source, events: Events, readValues: ReadRuleValues) => RoutingResult;

/** How many results are cached: more than the branches that a busy organisation pushes to in an hour. */
const MAX_CACHED = 1000;

/** Characters of the events of a delivery that is cached, so that the cache takes a few megabytes at most. */
const MAX_CACHED_LENGTH = 1000;

/**
 * Creates the function that routes deliveries. Equal events have equal results, which are cached until a lock changes. A
 * source of which a target has a condition on the payload is not cached.
 */
export function createRouter({
  targetsOf,
  locks,
  clock,
}: Pick<FlowServices, "clock"> & {
  readonly targetsOf: (source: Source) => readonly Target[];
  readonly locks: Pick<Locks, "of" | "version">;
}): RouteDelivery {
  const cache = new Map<string, RoutingResult>();
  let version = locks.version(clock.now());
  return (source, events, readValues) => {
    const now = clock.now();
    const current = locks.version(now);
    if (current !== version || cache.size >= MAX_CACHED) cache.clear();
    version = current;
    // Decisions depend neither on the commit nor on the run of CI.
    const key = JSON.stringify([source.name, events.map((event) => ({ ...event, commit: null, run: null }))]);
    const cached = cache.get(key);
    if (cached !== undefined) return cached;
    const targets = targetsOf(source);
    const result = route(source, events, targets, readValues, (target) => locks.of(target, now));
    const isCacheable = key.length <= MAX_CACHED_LENGTH && targets.every(({ when }) => when === null);
    if (isCacheable) cache.set(key, result);
    return result;
  };
}

function route(
  source: Source,
  events: Events,
  targets: readonly Target[],
  readValues: ReadRuleValues,
  lockOf: (target: string) => Lock | null,
): RoutingResult {
  const decidedBy = new Map<string, number>();
  const all = targets.map((target): Decision => {
    const match = matchTarget(events, target);
    decidedBy.set(target.name, match.event);
    const event = events[match.event] ?? events[0];
    const decision = applyCondition(match.decision, target, event, readValues);
    // Otherwise deliveries but the newest would be lost: their deployments wait in the queue until the lock is removed.
    const lock = decision.deploy && !queuesEveryDelivery(target) ? lockOf(target.name) : null;
    if (lock === null) return decision;
    return { target: target.name, deploy: false, code: "locked", reason: describeLock(lock) };
  });
  const concerned = new Set(targets.filter((target) => isAbout(events, target)).map(({ name }) => name));
  const decisions = all.filter(({ target }) => concerned.has(target));
  const deploys = decisions.some(({ deploy }) => deploy);
  const status = chooseStatus(source, events[0], decisions);
  // A ping needs no reason, and neither does an event that every target deploys.
  const isPlain = status === "pong" || (status !== "skipped" && all.every(({ deploy }) => deploy));
  return {
    status,
    decisions,
    decidedBy,
    otherTargets: all.length - decisions.length,
    deploys,
    queueAll: targets.filter(queuesEveryDelivery).map(({ name }) => name),
    gated: targets.filter(({ waitForCi }) => waitForCi !== null).map(({ name }) => name),
    reason: isPlain ? null : summariseDecisions(all, source.name),
  };
}
