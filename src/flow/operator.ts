import type { Client, ClientStore } from "../domain/client.ts";
import type { Choice, Deployment, DeploymentStore } from "../domain/deployment.ts";
import { describeLock, describeUnlocked, type Lock } from "../domain/lock.ts";
import { findRelease, NO_HISTORY } from "../domain/release.ts";
import type { PublishEvent } from "../domain/server-event.ts";
import type { Target } from "../domain/target.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { publishQueued } from "./event-bus.ts";
import type { Locks } from "./locks.ts";
import type { Worker } from "./worker.ts";

/** What people do to a running server. Each act says in the log who did what, as far as that is known. */
export interface Operator {
  /** Queues a deployment of the tip, or of a commit: 7 to 64 hex digits. `force` passes a lock. */
  deploy(
    target: string,
    wanted: { readonly commit: string | null; readonly force: boolean },
  ): Promise<DeployOutcome>;
  /** Queues going back to a release that is on disk; null for the one before the live one. A lock does not hold it. */
  rollback(target: string, release: string | null): Promise<DeployOutcome>;
  cancel(deployment: number, by: string): Promise<CancelOutcome>;
  /** For so many milliseconds; null until somebody unlocks it. */
  lock(
    target: string,
    wanted: { readonly reason: string; readonly by: string; readonly milliseconds: number | null },
  ): Promise<LockOutcome>;
  /** Also a target that is not configured any more, and nothing of it is deployed then. */
  unlock(target: string): Promise<UnlockOutcome>;
  /** Forgets an address at one source, or at all with null. Resolves with what was forgotten. */
  revoke(address: string, source: string | null): Promise<readonly Client[]>;
}

export type DeployOutcome =
  | { readonly kind: "queued"; readonly deployment: number }
  | { readonly kind: "unknown target" }
  | { readonly kind: "locked"; readonly reason: string }
  /** What is wanted is not to be had; the reason says why, and what to do. */
  | { readonly kind: "impossible"; readonly reason: string };

export type CancelOutcome =
  /** It waited. */
  | { readonly kind: "cancelled"; readonly deployment: Deployment }
  /** It runs, and is being ended. */
  | { readonly kind: "cancelling"; readonly deployment: Deployment }
  /** It had ended, or is only being written down. */
  | { readonly kind: "ended"; readonly deployment: Deployment }
  | { readonly kind: "unknown deployment" };

export type LockOutcome =
  | { readonly kind: "locked"; readonly lock: Lock }
  | { readonly kind: "unknown target" };

export type UnlockOutcome =
  /** `deployment` is the one that is next; null when none is. The reason says what it deploys, or why there is none. */
  | { readonly kind: "unlocked"; readonly deployment: number | null; readonly reason: string }
  | { readonly kind: "not locked" }
  | { readonly kind: "unknown target" };

/** What steering works with. */
export interface SteerTools {
  readonly store: Pick<ClientStore, "revokeClient"> &
    Pick<DeploymentStore, "queueDeployment" | "cancelQueued" | "readDeployment" | "readLive">;
  readonly clock: Clock;
  readonly log: Log;
  readonly targets: readonly Target[];
  readonly locks: Pick<Locks, "of" | "lock" | "unlock">;
  readonly worker: Pick<Worker, "wake" | "cancel">;
  readonly publish: PublishEvent;
  /** The names of the complete releases on disk, newest first; null where the layout keeps none. */
  readonly releasesOf: (target: Target) => Promise<readonly string[] | null>;
}

/** The last moment that a Date can be (ECMA-262, "Time Values and Time Range"). */
const LAST_MOMENT = 8.64e15;

/** Makes the {@link Operator} of a server. */
export function createOperator(tools: SteerTools): Operator {
  const { store, clock, log, locks, worker, publish } = tools;
  const targets = new Map(tools.targets.map((target) => [target.name, target]));

  async function request(
    target: string,
    trigger: "manual" | "rollback",
    chosen: ChoiceResult | null,
  ): Promise<DeployOutcome> {
    if (chosen?.ok === false) return { kind: "impossible", reason: chosen.reason };
    const choice = chosen?.choice ?? null;
    const queued = await store.queueDeployment({ target, trigger, commit: null, choice }, clock.now());
    const deployment = queued.deployment.id;
    log.info({ target, deployment, trigger, choice }, "a person asked for a deployment");
    publishQueued(queued, publish);
    worker.wake();
    return { kind: "queued", deployment };
  }

  return {
    async deploy(name, { commit, force }) {
      const target = targets.get(name);
      if (target === undefined) return { kind: "unknown target" };
      const lock = locks.of(name, clock.now());
      if (lock !== null && !force) return { kind: "locked", reason: describeLock(lock) };
      return request(name, "manual", commit === null ? null : chooseCommit(target, commit));
    },

    async rollback(name, release) {
      const target = targets.get(name);
      if (target === undefined) return { kind: "unknown target" };
      const complete = await tools.releasesOf(target);
      const live = (await store.readLive(name))?.release ?? null;
      return request(name, "rollback", chooseRelease(target, release, { complete, live }));
    },

    async cancel(id, by) {
      const reason = `cancelled by ${by}`;
      const cancelled = await store.cancelQueued(id, reason, clock.now());
      if (cancelled !== null) {
        log.warn({ deployment: id, target: cancelled.target, reason }, "deployment cancelled");
        publish({ kind: "deployment", deployment: cancelled });
        return { kind: "cancelled", deployment: cancelled };
      }
      const deployment = await store.readDeployment(id);
      if (deployment === null) return { kind: "unknown deployment" };
      if (!worker.cancel(id, reason)) return { kind: "ended", deployment };
      log.warn({ deployment: id, target: deployment.target, reason }, "ending a deployment");
      return { kind: "cancelling", deployment };
    },

    async lock(target, { reason, by, milliseconds }) {
      if (!targets.has(target)) return { kind: "unknown target" };
      const since = clock.now();
      const until =
        milliseconds === null ? null : new Date(Math.min(since.getTime() + milliseconds, LAST_MOMENT));
      const lock: Lock = { target, reason, by, since, until };
      await locks.lock(lock);
      return { kind: "locked", lock };
    },

    async unlock(target) {
      const isConfigured = targets.has(target);
      const unlocked = await locks.unlock(target);
      if (unlocked === null) return { kind: isConfigured ? "not locked" : "unknown target" };
      if (!isConfigured) return { kind: "unlocked", deployment: null, reason: "it is no longer configured" };
      return { kind: "unlocked", deployment: unlocked.waiting, reason: describeUnlocked(unlocked) };
    },

    async revoke(address, source) {
      const revoked = await store.revokeClient(address, source);
      for (const client of revoked) {
        log.info({ source: client.source, client: client.address }, "revoked a client");
        publish({ kind: "client", source: client.source, address: client.address, change: "revoked" });
      }
      return revoked;
    },
  };
}

/** What a person chose to deploy, or why it is not to be had and what to do. */
export type ChoiceResult =
  | { readonly ok: true; readonly choice: Choice }
  | { readonly ok: false; readonly reason: string };

/** A commit by its name: 7 to 64 hex digits, in any case. */
export function chooseCommit(target: Target, commit: string): ChoiceResult {
  if (target.repository === null) {
    return refuse(`target ${target.name} has no repository: deploy it without a commit`);
  }
  if (!/^[0-9a-f]{7,64}$/i.test(commit)) return refuse("a commit is named by 7 to 64 hex digits");
  return { ok: true, choice: { kind: "commit", commit: commit.toLowerCase() } };
}

/** What is there to go back to. */
export interface OnDisk {
  /** The names of the complete releases; null where the layout keeps none. */
  readonly complete: readonly string[] | null;
  readonly live: string | null;
}

/** A release by its name; null for the one before the live one, which is looked for again when its turn comes. */
export function chooseRelease(
  { name, repository, layout }: Target,
  release: string | null,
  { complete, live }: OnDisk,
): ChoiceResult {
  if (repository === null) return refuse(`target ${name} has no repository, and so nothing to go back to`);
  if (complete === null) {
    const instead = `hooklatch target deploy ${name} --commit COMMIT`;
    return refuse(`layout ${layout} keeps no releases: choose a commit with \`${instead}\``);
  }
  const found = findRelease(release, { complete, live, history: NO_HISTORY });
  return found.kind === "absent" ? refuse(found.reason) : { ok: true, choice: { kind: "release", release } };
}

function refuse(reason: string): ChoiceResult {
  return { ok: false, reason };
}
