import type { DeliveryStore } from "../domain/delivery.ts";
import type {
  Deployment,
  DeploymentResult,
  DeploymentStore,
  FinishedDeployment,
  Interruption,
} from "../domain/deployment.ts";
import type { Event } from "../domain/event.ts";
import type { ProcessIo } from "../domain/layout.ts";
import type { NotificationStore, NotificationSubscription } from "../domain/notification.ts";
import type { ReleaseHistory } from "../domain/release.ts";
import type { PublishEvent } from "../domain/server-event.ts";
import type { Source } from "../domain/source.ts";
import type { Target } from "../domain/target.ts";
import type { Clock } from "../lib/clock.ts";
import { AppError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { publishFinished } from "./event-bus.ts";
import { createOutputBuffer } from "./output.ts";
import { readReleaseHistory } from "./release-history.ts";
import { parseStoredDelivery } from "./replay.ts";

/** What a deployment is told beside its target. */
export interface DeploymentJob {
  readonly deployment: Deployment;
  readonly target: Target;
  /** The kind of event that asked for it; null when no delivery did. */
  readonly event: Event["kind"] | null;
  /** The delivery's payload as JSON text; null when no delivery asked for it. */
  readonly payload: string | null;
  /** Reads what became of the target's commits and releases: few deployments ask. */
  readonly history: () => Promise<ReleaseHistory>;
}

/** The part of the configuration that deployments depend on. A deployment that began with one goes on with it. */
export interface Configured {
  readonly sources: readonly Source[];
  readonly targets: readonly Target[];
  /** How many deployments may run at once, of whatever targets. */
  readonly maxDeployments: number;
  /** Those who want to be told of deployments. */
  readonly subscribers: readonly NotificationSubscription[];
}

/** What the worker works with. */
export interface WorkTools {
  readonly store: DeliveryStore & DeploymentStore & Pick<NotificationStore, "notifyStarted">;
  readonly clock: Clock;
  readonly log: Log;
  /** What is configured now; it may be another the next time. */
  readonly configured: () => Configured;
  readonly publish: PublishEvent;
  /** Says that notices may be due. */
  readonly announce: () => void;
  /**
   * Does the work itself. Resolves with how it ended, also when it failed. `onDecided` hears when that stands, with only
   * tidying up to follow.
   */
  readonly deploy: (
    assignment: DeploymentJob,
    io: ProcessIo & { readonly onDecided: () => void },
  ) => Promise<DeploymentResult>;
}

/** The one who takes deployments from the queue. */
export interface Worker {
  /** Begins: before, nothing is taken from the queue. */
  begin(): void;
  /** Says that something may be waiting. */
  wake(): void;
  /** Ends a deployment that runs, as `cancelled`. Whether it ran here: one whose outcome stands does not any more. */
  cancel(deployment: number, reason: string): boolean;
  /**
   * Claims nothing more, gives what runs `grace` milliseconds, then ends it as `interrupted`.
   * Resolves when nothing runs any more.
   */
  stop(grace: number): Promise<void>;
}

/** How long to wait before writing down an ending again that the store could not take. */
const SETTLE_AGAIN_AFTER = [1_000, 2_000, 5_000, 10_000, 30_000];

/** Runs what is queued: one deployment of a target at a time, so many of different targets side by side. */
export function createWorker(tools: WorkTools): Worker {
  const { store, clock, log, publish, announce } = tools;
  const running = new Set<Promise<void>>();
  /** What ends each deployment that is under way. */
  const interrupts = new Map<number, AbortController>();
  /** Those of them that are only being tidied up. */
  const decided = new Set<number>();
  const stopping = new AbortController();
  let claiming: Promise<void> | null = null;
  let wokenMeanwhile = false;
  let hasBegun = false;
  let stopped = false;

  function begin(): void {
    hasBegun = true;
    wake();
  }

  function wake(): void {
    if (!hasBegun || stopped) return;
    wokenMeanwhile = true;
    claiming ??= claimAll();
  }

  async function claimAll(): Promise<void> {
    while (wokenMeanwhile && !stopped) {
      wokenMeanwhile = false;
      try {
        await claimEach();
      } catch (error) {
        log.error(
          { err: error },
          "could not take the next deployment from the queue; trying again in a second",
        );
        void clock.sleep(1_000, stopping.signal).then(wake);
      }
    }
    // Not any later: who wakes us from now on has to find that nobody claims.
    claiming = null;
  }

  async function claimEach(): Promise<void> {
    while (!stopped) {
      const { targets, maxDeployments } = tools.configured();
      // Whichever ends wakes us.
      if (running.size >= maxDeployments) return;
      const deployment = await store.claim(
        targets.map(({ name }) => name),
        clock.now(),
      );
      const target = targets.find(({ name }) => name === deployment?.target);
      if (deployment === null || target === undefined) return;
      const run = runOne(deployment, target)
        .catch((error: unknown) =>
          log.error({ err: error }, `deployment ${deployment.id} could not be written down`),
        )
        .finally(() => {
          running.delete(run);
          wake();
        });
      running.add(run);
    }
  }

  async function runOne(deployment: Deployment, target: Target): Promise<void> {
    const fields = { deployment: deployment.id, target: target.name };
    log.info({ ...fields, delivery: deployment.delivery, trigger: deployment.trigger }, "deployment started");
    publish({ kind: "deployment", deployment });
    const output = createOutputBuffer(deployment.id, tools);
    const interrupt = new AbortController();
    interrupts.set(deployment.id, interrupt);
    await noteStart(deployment);
    const onDecided = () => void decided.add(deployment.id);
    const io = { onLine: output.add, signal: interrupt.signal, onDecided };
    const ending = await recall(deployment, target, tools)
      .then((job) => tools.deploy(job, io))
      .catch((error: unknown) => failUnexpectedly(error, fields));
    interrupts.delete(deployment.id);
    decided.delete(deployment.id);
    await output.flush();
    const settled = await settle(deployment.id, ending);
    const { state, reason, commit, release } = settled.deployment;
    const level = state === "succeeded" ? "info" : "warn";
    log[level]({ ...fields, state, reason, commit, release }, `deployment ${state}`);
    publishFinished(settled, publish);
    announce();
  }

  /** Who is to be told is less than what is to be done: the deployment goes on when it cannot be noted. */
  async function noteStart({ id }: Deployment): Promise<void> {
    const starters = tools.configured().subscribers.filter(({ kinds }) => kinds.includes("started"));
    if (starters.length === 0) return;
    try {
      await store.notifyStarted(id, starters, clock.now());
      announce();
    } catch (error) {
      log.warn({ deployment: id, err: error }, "could not note that a deployment started");
    }
  }

  function failUnexpectedly(
    error: unknown,
    fields: { deployment: number; target: string },
  ): DeploymentResult {
    log.error({ ...fields, err: error }, "a fault of ours ended a deployment");
    const reason = "internal error; the log has it";
    return { state: "failed", reason, branch: null, commit: null, release: null, steps: [] };
  }

  /** A target whose ending is not written down would stay `running` for ever: try until the store can again. */
  async function settle(id: number, ending: DeploymentResult): Promise<FinishedDeployment> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await store.finish(id, ending, clock.now(), tools.configured().subscribers);
      } catch (error) {
        const mayHeal = error instanceof AppError && error.code === "unavailable";
        if (stopped || !mayHeal) throw error;
        log.error(
          { deployment: id, err: error },
          "could not write down how a deployment ended; trying again",
        );
        await clock.sleep(SETTLE_AGAIN_AFTER[attempt] ?? 30_000, stopping.signal);
      }
    }
  }

  function cancel(deployment: number, reason: string): boolean {
    const interrupt = decided.has(deployment) ? undefined : interrupts.get(deployment);
    interrupt?.abort({ kind: "cancelled", reason } satisfies Interruption);
    return interrupt !== undefined;
  }

  async function stop(grace: number): Promise<void> {
    stopped = true;
    await claiming;
    const graceOver = new AbortController();
    await Promise.race([Promise.all(running), clock.sleep(grace, graceOver.signal)]);
    graceOver.abort();
    const interruption: Interruption = { kind: "interrupted", reason: "hooklatch was stopped while it ran" };
    stopping.abort();
    for (const interrupt of interrupts.values()) interrupt.abort(interruption);
    await Promise.allSettled(running);
  }

  return { begin, wake, cancel, stop };
}

/** Reads back what the deployment has to know of its delivery. */
async function recall(deployment: Deployment, target: Target, tools: WorkTools): Promise<DeploymentJob> {
  const { store, configured } = tools;
  const history = () => readReleaseHistory(target.name, store);
  const delivery = deployment.delivery === null ? null : await store.readDelivery(deployment.delivery);
  if (delivery === null) return { deployment, target, event: null, payload: null, history };
  const reading = parseStoredDelivery(delivery, configured().sources)?.reading;
  return { deployment, target, event: delivery.event, payload: reading?.ok ? reading.json : null, history };
}
