import { join } from "node:path";
import type { Config } from "../config/load.ts";
import { deploy } from "../deploy/deploy.ts";
import { runProcess } from "../deploy/process/process.ts";
import { withPayloadFile } from "../deploy/workspace.ts";
import type { NotificationChannel } from "../domain/notification.ts";
import type { Reload } from "../domain/reload.ts";
import type { Store } from "../domain/store.ts";
import { type AttemptLimiter, createAttemptLimiter } from "../flow/attempt-limiter.ts";
import { createEventBus, type EventBus } from "../flow/event-bus.ts";
import { createIpAllowlist, type IpAllowlist } from "../flow/ip-allowlist.ts";
import { createLocks, type Locks } from "../flow/locks.ts";
import { createNotifier, type Notifier } from "../flow/notifier.ts";
import { createRefusals, type Refusals } from "../flow/refusals.ts";
import type { FlowServices } from "../flow/services.ts";
import { createWorker, type Worker } from "../flow/worker.ts";
import { createThrottledLog } from "../lib/log.ts";
import { providers } from "../providers/index.ts";
import { cleanUpAbandoned } from "./abandoned-runs.ts";

/** The parts of the outside world that tests replace. */
export interface AppEnvironment extends Pick<FlowServices, "clock" | "log" | "print"> {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly reload: Reload;
  /** Called when the server listens, and before, when it waits for its first certificate. */
  readonly onReady: () => void;
}

/** A configuration and the notification channels that were created from it. A reload replaces both. */
export interface ActiveConfiguration {
  readonly config: Config;
  readonly channels: readonly NotificationChannel[];
}

/** The services that outlive a configuration. They read the active one each time. */
export interface Services extends FlowServices, AppEnvironment {
  readonly eventBus: EventBus;
  readonly locks: Locks;
  readonly worker: Worker;
  readonly notifier: Notifier;
  readonly ipAllowlist: IpAllowlist;
  /** Counts wrong admin tokens. */
  readonly adminAttempts: AttemptLimiter;
  readonly refusals: Refusals;
}

/** Creates the services. The worker and the notifier do nothing before they are woken. */
export function createServices(
  store: Store,
  active: () => ActiveConfiguration,
  environment: AppEnvironment,
): Services {
  const { clock, env, log } = environment;
  const eventBus = createEventBus(clock, store.fleet);
  const logThrottled = createThrottledLog(log, clock);
  const { publish } = eventBus;
  const targets = () => active().config.targets;
  const channels = () => active().channels;
  const notifier = createNotifier({ store, channels, clock, log });
  const worker = createWorker({
    store,
    clock,
    log,
    configured: () => {
      const { sources, targets, server } = active().config;
      return { sources, targets, maxDeployments: server.maxDeployments, subscriptions: channels() };
    },
    publish,
    wakeNotifier: notifier.wake,
    revert: (run) => cleanUpAbandoned([run], { store, clock, log, env }),
    deploy: (job, io) =>
      withPayloadFile(payloadDirectoryOf(active().config), job.deployment.id, job.payload, (payloadFile) =>
        deploy({ ...job, payloadFile }, { clock, env, run: runProcess, ...io }),
      ),
  });
  return {
    ...environment,
    store,
    eventBus,
    publish,
    targets,
    worker,
    wakeWorker: worker.wake,
    notifier,
    wakeNotifier: notifier.wake,
    locks: createLocks({ store, targets, clock, log, publish, wakeWorker: worker.wake }),
    ipAllowlist: createIpAllowlist({ ...describePublishers(active), store, clock, log }),
    attemptLimiter: createAttemptLimiter(clock),
    adminAttempts: createAttemptLimiter(clock),
    logThrottled,
    refusals: createRefusals({ clock, logThrottled }),
  };
}

/** The address ranges that providers publish, and their download from the configured URLs. */
function describePublishers(active: () => ActiveConfiguration) {
  const publishers = providers.flatMap(({ name, publishedRanges }) =>
    publishedRanges === undefined ? [] : [{ name, ...publishedRanges }],
  );
  return {
    builtIn: Object.fromEntries(publishers.map(({ name, builtIn }) => [name, builtIn])),
    async fetch(list: string, signal: AbortSignal): Promise<readonly string[]> {
      const publisher = publishers.find(({ name }) => name === list);
      const url = active().config.server.rangesUrls[list] ?? publisher?.url ?? "";
      return publisher === undefined ? [] : publisher.fetch(url, signal);
    },
  };
}

/** The directory of the payload files of running deployments. */
export function payloadDirectoryOf({ dataDir }: Config): string {
  return join(dataDir, "tmp");
}
