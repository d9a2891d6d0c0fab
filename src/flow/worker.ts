import type { AbandonedRun, Deployment, DeploymentResult, Interruption } from "../domain/deployment.ts";
import { describeResult } from "../domain/deployment-result.ts";
import type { FinishedDeployment } from "../domain/deployment-store.ts";
import type { ProcessIo } from "../domain/layout.ts";
import type { NotificationSubscription } from "../domain/notification.ts";
import type { Source } from "../domain/source.ts";
import { isDeployedOn, type Target } from "../domain/target.ts";
import { AppError } from "../lib/errors.ts";
import { createJob, type DeploymentJob } from "./deployment-job.ts";
import { publishFinished } from "./event-bus.ts";
import { createOutputBuffer } from "./output.ts";
import type { FlowServices } from "./services.ts";

/** The part of the configuration that deployments depend on. A deployment uses the one that it started with. */
export interface WorkerConfiguration {
  readonly sources: readonly Source[];
  readonly targets: readonly Target[];
  /** How many deployments, of any targets, may run at once. */
  readonly maxDeployments: number;
  readonly subscriptions: readonly NotificationSubscription[];
}

export type WorkerServices = Pick<FlowServices, "store" | "clock" | "log" | "publish" | "wakeNotifier"> & {
  /** The current configuration. */
  readonly configured: () => WorkerConfiguration;
  /**
   * Reverts what a deployment had made live whose result cannot be stored, because another process has marked it
   * `interrupted` meanwhile.
   */
  readonly revert: (run: AbandonedRun) => Promise<void>;
  /**
   * Runs a deployment. Resolves with its result, also when it failed. Calls `onDecided` when the result is known and
   * only the cleanup follows.
   */
  readonly deploy: (
    job: DeploymentJob,
    io: ProcessIo & { readonly onDecided: () => void },
  ) => Promise<DeploymentResult>;
};

/** Runs the queued deployments. */
export interface Worker {
  /** Begins to claim deployments. */
  begin(): void;
  /** Signals that a deployment may be queued. */
  wake(): void;
  /** Ends a running deployment as `cancelled`. False when it is not running, or its result is already known. */
  cancel(deployment: number, reason: string): boolean;
  /**
   * Ends all running deployments and claims nothing more: this process could not renew its lease, so that another one may
   * soon mark them `interrupted`.
   */
  loseLease(): void;
  /** Claims deployments again, of targets of which none runs in this process any more. */
  regainLease(): void;
  /**
   * Claims nothing more, gives running deployments `grace` milliseconds, then ends them as `interrupted`. Resolves when
   * none is running.
   */
  stop(grace: number): Promise<void>;
}

/** Milliseconds to wait before each further attempt to save a result. The last one repeats. */
const SAVE_RETRY_AFTER = [1_000, 2_000, 5_000, 10_000, 30_000];

/** Milliseconds to wait before the next claim after an error. */
const CLAIM_RETRY_AFTER = 1_000;

/** Creates the {@link Worker}. It runs one deployment of a target at a time, and several targets at once. */
export function createWorker(services: WorkerServices): Worker {
  const { store, clock, log, publish, wakeNotifier, configured } = services;
  const running = new Map<Promise<void>, Target>();
  /** Each ends a running deployment. */
  const interrupts = new Map<number, AbortController>();
  /** Why running deployments are cancelled. */
  const cancelled = new Map<number, string>();
  /** The running deployments whose result is known. */
  const decided = new Set<number>();
  const stopping = new AbortController();
  let claiming: Promise<void> | null = null;
  let wokenMeanwhile = false;
  let hasBegun = false;
  let hasLease = true;
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
        log.error({ err: error }, "could not claim the next deployment; trying again");
        void clock.sleep(CLAIM_RETRY_AFTER, stopping.signal).then(wake);
      }
    }
    // Without an await since the check, so that the next wake starts this again.
    claiming = null;
  }

  async function claimEach(): Promise<void> {
    while (!stopped && hasLease) {
      const { targets, maxDeployments } = configured();
      // The next deployment that ends wakes the worker.
      if (running.size >= maxDeployments) return;
      // The store counts one as ended whose lease has ended, while its processes still are being ended here.
      const busy = new Set([...running.values()].map(({ name }) => name));
      const names = targets
        .filter((target) => isDeployedOn(target, store.host) && !busy.has(target.name))
        .map(({ name }) => name);
      const deployment = await store.claim(names, clock.now());
      const target = targets.find(({ name }) => name === deployment?.target);
      if (deployment === null || target === undefined) return;
      const run = runOne(deployment, target)
        .catch((error: unknown) =>
          log.error({ deployment: deployment.id, err: error }, "could not save the result of a deployment"),
        )
        .finally(() => {
          running.delete(run);
          wake();
        });
      running.set(run, target);
    }
  }

  async function runOne(deployment: Deployment, target: Target): Promise<void> {
    const { id, delivery, trigger } = deployment;
    const fields = { deployment: id, target: target.name };
    log.info({ ...fields, delivery, trigger }, "deployment started");
    publish({ kind: "deployment", deployment });
    const output = createOutputBuffer(id, services);
    const interrupt = new AbortController();
    interrupts.set(id, interrupt);
    // Lost while the deployment was being claimed.
    if (!hasLease) interrupt.abort({ kind: "lease lost" } satisfies Interruption);
    await notifyStarted(id);
    const onDecided = () => void decided.add(id);
    const io = { onLine: output.add, whenReady: output.whenReady, signal: interrupt.signal, onDecided };
    const ended = await createJob(deployment, target, services)
      .then((job) => services.deploy(job, io))
      .catch((error: unknown) => failUnexpectedly(error, fields));
    // One that is interrupted for another cause and cancelled meanwhile must not be queued again.
    const cancelReason = ended.state === "interrupted" ? cancelled.get(id) : undefined;
    const result: DeploymentResult =
      cancelReason === undefined
        ? ended
        : { ...ended, state: "cancelled", code: "cancelled", reason: cancelReason };
    interrupts.delete(id);
    cancelled.delete(id);
    decided.delete(id);
    await output.flush();
    const finished = await finish(id, result);
    if (finished === null) {
      log.warn({ ...fields, state: result.state }, "another process has marked the deployment interrupted");
      return services.revert({ deployment: id, target });
    }
    const { state, code, commit, release } = finished.deployment;
    const level = state === "succeeded" ? "info" : "warn";
    const reason = describeResult(finished.deployment);
    log[level]({ ...fields, state, code, reason, commit, release }, `deployment ${state}`);
    publishFinished(finished, publish);
    wakeNotifier();
  }

  /** The deployment runs also when its notification could not be stored. */
  async function notifyStarted(deployment: number): Promise<void> {
    const subscriptions = configured().subscriptions.filter(({ kinds }) => kinds.includes("started"));
    if (subscriptions.length === 0) return;
    try {
      await store.notifyStarted(deployment, subscriptions, clock.now());
      wakeNotifier();
    } catch (error) {
      log.warn({ deployment, err: error }, "could not save a notification");
    }
  }

  function failUnexpectedly(
    error: unknown,
    fields: { deployment: number; target: string },
  ): DeploymentResult {
    log.error({ ...fields, err: error }, "internal error in a deployment");
    const reason = "internal error; see the log";
    const nothing = {
      branch: null,
      commit: null,
      subject: null,
      author: null,
      commitUrl: null,
      release: null,
      steps: [],
    };
    return { state: "failed", code: "internal_error", reason, ...nothing };
  }

  /**
   * Retries until the result is saved: without a result the target would stay `running` until the next start. Null when
   * another process has marked the deployment `interrupted`.
   */
  async function finish(id: number, result: DeploymentResult): Promise<FinishedDeployment | null> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await store.finish(id, result, clock.now(), configured().subscriptions);
      } catch (error) {
        const isTransient = error instanceof AppError && error.code === "unavailable";
        if (!isTransient && store.fleet !== null) {
          const stored = await store.readDeployment(id);
          if (stored?.state !== "running") return null;
        }
        if (stopped || !isTransient) throw error;
        log.error({ deployment: id, err: error }, "could not save the result of a deployment; trying again");
        await clock.sleep(SAVE_RETRY_AFTER[attempt] ?? 30_000, stopping.signal);
      }
    }
  }

  function cancel(deployment: number, reason: string): boolean {
    const interrupt = decided.has(deployment) ? undefined : interrupts.get(deployment);
    if (interrupt === undefined) return false;
    cancelled.set(deployment, reason);
    interrupt.abort({ kind: "cancelled", reason } satisfies Interruption);
    return true;
  }

  function loseLease(): void {
    hasLease = false;
    for (const interrupt of interrupts.values()) {
      interrupt.abort({ kind: "lease lost" } satisfies Interruption);
    }
  }

  function regainLease(): void {
    hasLease = true;
    wake();
  }

  async function stop(grace: number): Promise<void> {
    stopped = true;
    await claiming;
    const graceOver = new AbortController();
    await Promise.race([Promise.all(running.keys()), clock.sleep(grace, graceOver.signal)]);
    graceOver.abort();
    stopping.abort();
    for (const interrupt of interrupts.values()) {
      interrupt.abort({ kind: "interrupted" } satisfies Interruption);
    }
    await Promise.allSettled(running.keys());
  }

  return { begin, wake, cancel, loseLease, regainLease, stop };
}
