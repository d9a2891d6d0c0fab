import { chooseStatus, type DeliveryStatus } from "../domain/delivery.ts";
import type { Event } from "../domain/event.ts";
import { describeLock, type Lock } from "../domain/lock.ts";
import { type Decision, isAbout, matchTargets, summariseDecisions } from "../domain/match.ts";
import type { Source } from "../domain/source.ts";
import type { Target } from "../domain/target.ts";
import type { Clock } from "../lib/clock.ts";
import type { Locks } from "./locks.ts";

/** What becomes of an event that came to a source. */
export interface RoutingResult {
  readonly status: DeliveryStatus;
  readonly decisions: readonly Decision[];
  /** Whether anything is deployed. */
  readonly deploys: boolean;
  /** Targets that would be deployed if they were not locked. */
  readonly blockedByLock: readonly string[];
  /** Targets that the event is about and that are not deployed, those held back among them. */
  readonly notDeployed: readonly string[];
  /** What to tell the sender of targets that are not deployed; null where no words are needed. */
  readonly reason: string | null;
}

export type RouteDelivery = (source: Source, event: Event) => RoutingResult;

/** How many outcomes are remembered: more than the branches that a busy organisation pushes to in an hour. */
const REMEMBERED = 1000;

/** What deciding works with. */
export interface DecideTools {
  readonly targetsOf: (source: Source) => readonly Target[];
  readonly locks: Pick<Locks, "of" | "version">;
  readonly clock: Clock;
}

/**
 * Makes the function that decides. Equal events have equal outcomes as long as no lock changes, and get the very same
 * one: with a thousand targets it is worked out once, and the store keeps its decisions once.
 */
export function createRouter({ targetsOf, locks, clock }: DecideTools): RouteDelivery {
  const outcomes = new Map<string, RoutingResult>();
  let version = locks.version(clock.now());
  return (source, event) => {
    const now = clock.now();
    const current = locks.version(now);
    if (current !== version) outcomes.clear();
    version = current;
    const key = JSON.stringify([source.name, describeMatched(event)]);
    const known = outcomes.get(key);
    if (known !== undefined) return known;
    if (outcomes.size >= REMEMBERED) outcomes.clear();
    const outcome = decide(source, event, targetsOf(source), (target) => locks.of(target, now));
    outcomes.set(key, outcome);
    return outcome;
  };
}

/** What of an event the outcome depends on: not the commit. */
function describeMatched(event: Event): unknown {
  return event.kind === "push" ? { ...event, commit: null } : event;
}

function decide(
  source: Source,
  event: Event,
  targets: readonly Target[],
  lockOf: (target: string) => Lock | null,
): RoutingResult {
  const heldBack: string[] = [];
  const decisions = matchTargets(event, targets).map((decision): Decision => {
    const lock = decision.deploy ? lockOf(decision.target) : null;
    if (lock === null) return decision;
    heldBack.push(decision.target);
    return { target: decision.target, deploy: false, reason: describeLock(lock) };
  });
  const undeployed = targets
    .filter((target, at) => decisions[at]?.deploy === false && isAbout(event, target))
    .map(({ name }) => name);
  const deploys = decisions.some(({ deploy }) => deploy);
  const status = chooseStatus(source, event, deploys);
  const reason = explain(source, status, decisions);
  return Object.freeze({
    status,
    decisions: Object.freeze(decisions),
    deploys,
    blockedByLock: heldBack,
    notDeployed: undeployed,
    reason,
  });
}

/** A plain `success` or `pong` needs no words, and neither does a push that every target wanted. */
function explain(source: Source, status: DeliveryStatus, decisions: readonly Decision[]): string | null {
  if (status === "pong") return null;
  if (status !== "skipped" && decisions.every(({ deploy }) => deploy)) return null;
  return summariseDecisions(decisions, source.name);
}
