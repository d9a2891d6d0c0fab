import type { Clock } from "../domain/clock.ts";
import type { DeliverySummary, DeploymentOutcome } from "../domain/delivery.ts";
import type { Deployment, DeploymentStore } from "../domain/deployment.ts";
import { describeLock, hasRunOut, isLockReason, type Lock } from "../domain/lock.ts";
import type { LockStore } from "../domain/lock-store.ts";
import type { Decision } from "../domain/match.ts";

/** What of a delivery locks have a say in. */
type Told = Pick<DeliverySummary, "id" | "receivedAt" | "decisions" | "outcomes">;

/** What telling works with. */
export interface TellLocksTools {
  readonly store: Pick<LockStore, "listLocks"> & Pick<DeploymentStore, "listDeployments">;
  readonly clock: Clock;
}

/**
 * The deliveries with what locks mean to them now: a deployment that waits behind one has it as its reason, and of a
 * push that one held back for good it is told what came after it.
 */
export async function tellLocks<Delivery extends Told>(
  deliveries: readonly Delivery[],
  { store, clock }: TellLocksTools,
): Promise<readonly Delivery[]> {
  const now = clock.now();
  const standing = (await store.listLocks()).filter((lock) => !hasRunOut(lock, now));
  const locks = new Map(standing.map((lock) => [lock.target, lock]));
  const newest = new Map<string, Deployment | null>();
  for (const target of new Set(deliveries.flatMap(listHeldBack))) {
    const { items } = await store.listDeployments(
      { target, state: null, source: null },
      { limit: 1, before: null },
    );
    newest.set(target, items[0] ?? null);
  }
  return deliveries.map((delivery) => {
    const heldBack = new Set(listHeldBack(delivery));
    const outcomes = delivery.outcomes.map((outcome) => tellWaiting(outcome, locks));
    if (heldBack.size === 0) return { ...delivery, outcomes };
    const decisions = delivery.decisions.map((decision) => {
      const { target } = decision;
      if (!heldBack.has(target)) return decision;
      return tellHeldBack(decision, delivery, locks.get(target) ?? null, newest.get(target) ?? null);
    });
    return { ...delivery, outcomes, decisions };
  });
}

/** The targets whose lock held the delivery back, and that no deployment was queued of for it since. */
function listHeldBack({ decisions, outcomes }: Told): readonly string[] {
  return decisions
    .filter(({ deploy, reason }) => !deploy && reason !== null && isLockReason(reason))
    .map(({ target }) => target)
    .filter((target) => outcomes.every((outcome) => outcome.target !== target));
}

function tellWaiting(outcome: DeploymentOutcome, locks: ReadonlyMap<string, Lock>): DeploymentOutcome {
  const lock = locks.get(outcome.target);
  if (outcome.state !== "queued" || lock === undefined) return outcome;
  return { ...outcome, reason: describeLock(lock) };
}

/** The lock that held it back may still stand, stand with other words, or be gone, with or without something newer. */
function tellHeldBack(
  decision: Decision,
  { id, receivedAt }: Told,
  lock: Lock | null,
  newest: Deployment | null,
): Decision {
  if (lock !== null && receivedAt >= lock.since) return decision;
  const isNewer = newest !== null && newest.createdAt > receivedAt && (newest.delivery ?? id) >= id;
  if (isNewer) {
    const what = newest.delivery === null ? `deployment ${newest.id}` : `delivery ${newest.delivery}`;
    return { ...decision, reason: `was ${decision.reason}; ${what} came after it` };
  }
  return { ...decision, reason: lock === null ? `was ${decision.reason}` : describeLock(lock) };
}
