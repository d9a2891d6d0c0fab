import { hasEnded } from "../domain/deployment.ts";
import type { Fleet, HostTarget, RemoteChange } from "../domain/host.ts";
import type { NotificationSubscription } from "../domain/notification.ts";
import type { EventBus } from "./event-bus.ts";
import type { Locks } from "./locks.ts";
import { recoverInterrupted } from "./recovery.ts";
import type { FlowServices } from "./services.ts";
import type { Worker } from "./worker.ts";

/** The part of this host in a fleet. */
export interface FleetMember {
  /** Stores the state of this host soon. Call it when its configuration or its releases have changed. */
  describe(): void;
  /** Ends the renewals. Resolves when nothing is in progress. */
  stop(): Promise<void>;
}

export type FleetServices = Pick<FlowServices, "store" | "clock" | "log" | "publish" | "wakeNotifier"> & {
  readonly eventBus: Pick<EventBus, "subscribe" | "publishRemote" | "reportGap">;
  readonly worker: Pick<Worker, "wake" | "cancel" | "loseLease" | "regainLease">;
  readonly locks: Pick<Locks, "reload">;
  readonly subscriptions: () => readonly NotificationSubscription[];
  readonly version: string;
  /** The targets that are deployed on this host, with their releases. */
  readonly listTargets: () => Promise<readonly HostTarget[]>;
  /** Called once, when another process took over the name of this host: this one has to stop. */
  readonly onReplaced: () => void;
};

/** The wait for the end of a lease. */
interface Expiry {
  readonly isOver: boolean;
  stop(): void;
}

/** The part of a lease after which this process ends its runs itself. The rest is for its processes to end. */
const SAFE_PART = 3 / 4;

/**
 * Takes part in a fleet until it is stopped: renews the lease of this process, ends its runs when it cannot, recovers those
 * of hosts whose lease ended, and passes on the changes that other processes make. Resolves when the store knows what this
 * host deploys.
 */
export async function joinFleet(fleet: Fleet, services: FleetServices): Promise<FleetMember> {
  const { store, clock, log, worker, locks, eventBus, wakeNotifier, onReplaced } = services;
  const { renewEvery, duration } = fleet.times;
  const stopping = new AbortController();
  let isHeld = true;
  /** Whether the state of this host has changed since it was stored. */
  let isChanged = true;
  let describing: Promise<void> | null = null;
  /** Ends the wait for the end of the lease that was renewed last. */
  let expiry = startExpiry();
  let nextRenewal = new AbortController();
  let upkeep: Promise<void> | null = null;

  /** By a timer: the clock may be set meanwhile. */
  function startExpiry(): Expiry {
    const waiting = new AbortController();
    const expiry = { isOver: false, stop: () => waiting.abort() };
    void clock.sleep(duration * SAFE_PART, waiting.signal).then(() => {
      expiry.isOver = !waiting.signal.aborted;
      if (!expiry.isOver || !isHeld) return;
      isHeld = false;
      log.error({}, "the lease of this host could not be renewed: its running deployments are ended");
      worker.loseLease();
    });
    return expiry;
  }

  async function renew(): Promise<void> {
    // Before the request: the lease begins some time after this.
    const next = startExpiry();
    try {
      const renewal = await fleet.renew();
      if (renewal.kind === "replaced") return replace(next);
      // The answer took longer than the lease lasts: it may have ended again.
      if (next.isOver) return;
      expiry.stop();
      expiry = next;
      for (const { deployment, reason } of renewal.cancelled) worker.cancel(deployment, reason);
      if (!isHeld) {
        isHeld = true;
        log.info({}, "the lease of this host is renewed again");
        worker.regainLease();
      }
      // Not awaited: the next renewal must not be late.
      upkeep ??= keepUp().finally(() => {
        upkeep = null;
      });
    } catch (error) {
      next.stop();
      log.warn({ err: error }, "could not renew the lease of this host; trying again");
    }
  }

  function replace(next: Expiry): void {
    next.stop();
    expiry.stop();
    stopping.abort();
    worker.loseLease();
    onReplaced();
  }

  /** Repairs what this process may have missed: every process runs it with each renewal. */
  async function keepUp(): Promise<void> {
    try {
      if (isChanged) describeSoon();
      await recoverInterrupted(services.subscriptions(), services);
      await locks.reload();
    } catch (error) {
      log.warn({ err: error }, "could not recover deployments of other hosts; trying again");
    }
    worker.wake();
    wakeNotifier();
    eventBus.reportGap();
  }

  async function describe(): Promise<void> {
    while (isChanged) {
      // Before the list is read, so that a change meanwhile is stored next.
      isChanged = false;
      try {
        await fleet.describeHost({ version: services.version, targets: await services.listTargets() });
      } catch (error) {
        isChanged = true;
        throw error;
      }
    }
  }

  function describeSoon(): void {
    isChanged = true;
    describing ??= describe()
      .catch((error: unknown) =>
        log.warn({ err: error }, "could not store the state of this host; trying again"),
      )
      .finally(() => {
        describing = null;
      });
  }

  function onChange(change: RemoteChange): void {
    if (change.kind === "cancel") {
      nextRenewal.abort();
      return;
    }
    const { event } = change;
    eventBus.publishRemote(event);
    if (event.kind === "deployment") {
      worker.wake();
      wakeNotifier();
    }
    if (event.kind !== "lock") return;
    void locks
      .reload()
      .catch((error: unknown) => log.warn({ err: error }, "could not read the locks; trying again"))
      // A target that was unlocked may have deployments that waited.
      .finally(worker.wake);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      nextRenewal = new AbortController();
      // The lease counts from the request, however late it is answered.
      const pause = clock.sleep(renewEvery, AbortSignal.any([nextRenewal.signal, stopping.signal]));
      await renew();
      await pause;
    }
    await Promise.all([upkeep, describing]);
  }

  try {
    await describe();
  } catch (error) {
    expiry.stop();
    throw error;
  }
  const unsubscribe = fleet.subscribe(onChange);
  // It may have added a release, and removed others.
  const unsubscribeLocal = eventBus.subscribe((event) => {
    if (event.kind !== "deployment" || event.deployment.host !== store.host) return;
    if (hasEnded(event.deployment.state)) describeSoon();
  });
  const ended = run();
  return {
    describe: describeSoon,
    async stop() {
      stopping.abort();
      expiry.stop();
      unsubscribe();
      unsubscribeLocal();
      await ended;
      // A renewal that was in progress has started another one.
      expiry.stop();
    },
  };
}
