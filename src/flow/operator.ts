import type { Client } from "../domain/client.ts";
import type { Choice, Deployment } from "../domain/deployment.ts";
import { type ForgetOutcome, type Host, listHostsOf } from "../domain/host.ts";
import { describeLock, describeUnlocked, type Lock } from "../domain/lock.ts";
import { findRelease, NO_HISTORY } from "../domain/release.ts";
import { EVERYWHERE, type Placement, type Target } from "../domain/target.ts";
import { publishQueued } from "./event-bus.ts";
import type { Locks } from "./locks.ts";
import type { FlowServices } from "./services.ts";
import type { Worker } from "./worker.ts";

/** The operations that people run on a server. Each is logged with who requested it, where that is known. */
export interface Operator {
  /** Queues a deployment of the tip, or of a commit: 7 to 64 hex digits. `force` ignores a lock. */
  deploy(
    target: string,
    options: { readonly commit: string | null; readonly force: boolean },
  ): Promise<DeployOutcome>;
  /** Queues a rollback to a release on disk; null for the one before the live one. A lock does not block it. */
  rollback(target: string, release: string | null): Promise<DeployOutcome>;
  cancel(deployment: number, by: string): Promise<CancelOutcome>;
  /** Locks the target for a number of milliseconds; null until it is unlocked. */
  lock(
    target: string,
    options: { readonly reason: string; readonly by: string; readonly milliseconds: number | null },
  ): Promise<LockOutcome>;
  /** Unlocks the target. One that is no longer configured is unlocked too, and not deployed. */
  unlock(target: string): Promise<UnlockOutcome>;
  /** Stops or resumes the start of deployments on a host. Null for an unknown one. */
  drain(host: string, isDraining: boolean): Promise<Host | null>;
  /** Removes a host that is away, and cancels its queued deployments. */
  forget(host: string): Promise<ForgetOutcome>;
  /** Removes an address from one source, or from all with null. Resolves with the removed clients. */
  revoke(address: string, source: string | null): Promise<readonly Client[]>;
}

export type DeployOutcome =
  /** One deployment for each host, in the order of the rollout. */
  | { readonly kind: "queued"; readonly deployments: readonly Deployment[] }
  | { readonly kind: "unknown target" }
  | { readonly kind: "locked"; readonly reason: string }
  | Impossible;

/** The request cannot be satisfied. */
interface Impossible {
  readonly kind: "impossible";
  /** Why, and what to do. */
  readonly reason: string;
}

export type CancelOutcome =
  /** It was queued. */
  | { readonly kind: "cancelled"; readonly deployment: Deployment }
  /** It is running, and is being ended. */
  | { readonly kind: "cancelling"; readonly deployment: Deployment }
  /** It had ended, or its result is being saved. */
  | { readonly kind: "ended"; readonly deployment: Deployment }
  | { readonly kind: "unknown deployment" };

export type LockOutcome =
  /** `replaced` is the lock that was in force; null for none. */
  | { readonly kind: "locked"; readonly lock: Lock; readonly replaced: Lock | null }
  | { readonly kind: "unknown target" };

export type UnlockOutcome =
  /** `deployment` is the one that is next; null when none is. The reason says what it deploys, or why there is none. */
  | { readonly kind: "unlocked"; readonly deployment: number | null; readonly reason: string }
  | { readonly kind: "not locked" }
  | { readonly kind: "unknown target" };

/** The latest time that a Date can hold (ECMA-262, "Time Values and Time Range"). */
const MAX_TIME = 8.64e15;

/** Creates the {@link Operator} for the targets that are configured now. */
export function createOperator(
  services: Pick<FlowServices, "store" | "clock" | "log" | "publish" | "targets"> & {
    readonly locks: Pick<Locks, "of" | "lock" | "unlock">;
    readonly worker: Pick<Worker, "wake" | "cancel">;
    /** The names of the complete releases on disk, newest first; null where the layout has no releases. */
    readonly releasesOf: (target: Target) => Promise<readonly string[] | null>;
  },
): Operator {
  const { store, clock, log, publish, locks, worker, releasesOf } = services;
  const { fleet } = store;
  const targets = new Map(services.targets().map((target) => [target.name, target]));

  async function request(
    { name: target, queue }: Target,
    trigger: "manual" | "rollback",
    choice: Choice | Impossible | null,
    placement: Placement,
  ): Promise<DeployOutcome> {
    if (choice?.kind === "impossible") return choice;
    const queued = await store.queueDeployment(
      { target, trigger, commit: null, choice, queueAll: queue === "all", placement },
      clock.now(),
    );
    const deployments = [queued.deployment, ...queued.others];
    for (const { id: deployment, host } of deployments) {
      const where = fleet === null ? {} : { host };
      log.info({ target, ...where, deployment, trigger, choice }, "deployment requested");
    }
    publishQueued(queued, publish);
    worker.wake();
    return { kind: "queued", deployments };
  }

  /** For each host of the target, what a rollback deploys there. */
  async function listRollbacks(target: Target, release: string | null) {
    const { name } = target;
    const choose = async (host: string, complete: readonly string[] | null) => {
      const live = (await store.readLive(name, host))?.release ?? null;
      return { host, choice: chooseRelease(target, release, complete, live) };
    };
    if (fleet === null) return [await choose(store.host, await releasesOf(target))];
    const hosts = await fleet.listHosts();
    return Promise.all(
      listHostsOf(target, hosts).map((host) => {
        const described = hosts.find((each) => each.name === host)?.targets;
        const found = described?.find((each) => each.name === name);
        return choose(host, found === undefined ? [] : found.releases);
      }),
    );
  }

  return {
    async deploy(name, { commit, force }) {
      const target = targets.get(name);
      if (target === undefined) return { kind: "unknown target" };
      const lock = locks.of(name, clock.now());
      if (lock !== null && !force) return { kind: "locked", reason: describeLock(lock) };
      const choice = commit === null ? null : chooseCommit(target, commit);
      return request(target, "manual", choice, target.placement ?? EVERYWHERE);
    },

    async rollback(name, release) {
      const target = targets.get(name);
      if (target === undefined) return { kind: "unknown target" };
      const choices = await listRollbacks(target, release);
      const possible = choices.filter(({ choice }) => choice.kind !== "impossible");
      const [first] = possible.length > 0 ? possible : choices;
      if (first === undefined) return refuse(`no host deploys target ${name}`);
      const hosts = possible.map(({ host }) => host);
      return request(target, "rollback", first.choice, { ...(target.placement ?? EVERYWHERE), hosts });
    },

    async cancel(id, by) {
      const reason = `cancelled by ${by}`;
      // First: the commands of a deployment of this process are ended also while the store does not answer.
      const isOwn = worker.cancel(id, reason);
      if (isOwn) log.warn({ deployment: id, reason }, "cancelling a running deployment");
      const cancelled = isOwn ? null : await store.cancelQueued(id, reason, clock.now());
      if (cancelled !== null) {
        const { target, code } = cancelled;
        log.warn({ deployment: id, target, code, reason }, "deployment cancelled");
        publish({ kind: "deployment", deployment: cancelled });
        return { kind: "cancelled", deployment: cancelled };
      }
      const deployment = await store.readDeployment(id);
      if (deployment === null) return { kind: "unknown deployment" };
      if (isOwn) return { kind: "cancelling", deployment };
      const isElsewhere = deployment.state === "running" && deployment.host !== store.host;
      const isCancelling = isElsewhere
        ? ((await fleet?.requestCancel(id, reason)) ?? false)
        : worker.cancel(id, reason);
      if (!isCancelling) return { kind: "ended", deployment };
      log.warn({ deployment: id, target: deployment.target, reason }, "cancelling a running deployment");
      return { kind: "cancelling", deployment };
    },

    async lock(target, { reason, by, milliseconds }) {
      if (!targets.has(target)) return { kind: "unknown target" };
      const since = clock.now();
      const until =
        milliseconds === null ? null : new Date(Math.min(since.getTime() + milliseconds, MAX_TIME));
      const lock: Lock = { target, reason, by, since, until };
      const replaced = locks.of(target, since);
      await locks.lock(lock);
      return { kind: "locked", lock, replaced };
    },

    async unlock(target) {
      const isConfigured = targets.has(target);
      const unlocked = await locks.unlock(target);
      if (unlocked === null) return { kind: isConfigured ? "not locked" : "unknown target" };
      if (!isConfigured) {
        return { kind: "unlocked", deployment: null, reason: "the target is no longer configured" };
      }
      return { kind: "unlocked", deployment: unlocked.waiting, reason: describeUnlocked(unlocked) };
    },

    async drain(name, isDraining) {
      const host = (await fleet?.drainHost(name, isDraining)) ?? null;
      if (host !== null) log.info({ host: name }, isDraining ? "host drained" : "host no longer drained");
      // It may be this one.
      worker.wake();
      return host;
    },

    async forget(name) {
      const outcome = (await fleet?.forgetHost(name, clock.now())) ?? { kind: "unknown host" };
      if (outcome.kind !== "forgotten") return outcome;
      log.warn({ host: name, cancelled: outcome.cancelled }, "host forgotten");
      for (const id of outcome.cancelled) {
        const deployment = await store.readDeployment(id);
        if (deployment !== null) publish({ kind: "deployment", deployment });
      }
      return outcome;
    },

    async revoke(address, source) {
      const revoked = await store.revokeClient(address, source);
      for (const client of revoked) {
        log.info({ source: client.source, client: client.address }, "client revoked");
        publish({ kind: "client", source: client.source, address: client.address, change: "revoked" });
      }
      return revoked;
    },
  };
}

/** A commit by 7 to 64 hex digits, in any case. */
function chooseCommit(target: Target, commit: string): Choice | Impossible {
  if (target.repository === null) {
    return refuse(`target ${target.name} has no repository: deploy it without a commit`);
  }
  if (!/^[0-9a-f]{7,64}$/i.test(commit)) return refuse("a commit must be 7 to 64 hex digits");
  return { kind: "commit", commit: commit.toLowerCase() };
}

/** A release by its name; null for the one before the live one, which is looked up again when the deployment runs. */
function chooseRelease(
  { name, repository, layout }: Target,
  release: string | null,
  complete: readonly string[] | null,
  live: string | null,
): Choice | Impossible {
  if (repository === null) return refuse(`target ${name} has no repository and therefore no releases`);
  if (complete === null) {
    const instead = `hooklatch target deploy ${name} --commit COMMIT`;
    return refuse(`layout ${layout} has no releases: choose a commit with \`${instead}\``);
  }
  const found = findRelease(release, { complete, live, history: NO_HISTORY });
  return found.kind === "absent" ? refuse(found.reason) : { kind: "release", release };
}

function refuse(reason: string): Impossible {
  return { kind: "impossible", reason };
}
