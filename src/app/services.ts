import { join } from "node:path";
import type { Config } from "../config/load.ts";
import { deploy } from "../deploy/deploy.ts";
import { runProcess } from "../deploy/process/process.ts";
import { withPayloadFile } from "../deploy/workspace.ts";
import type { NotificationChannel } from "../domain/notification.ts";
import type { Store } from "../domain/store.ts";
import { type AttemptLimiter, createAttemptLimiter } from "../flow/attempt-limiter.ts";
import { createEventBus, type EventBus } from "../flow/event-bus.ts";
import { type AllowlistServices, createIpAllowlist, type IpAllowlist } from "../flow/ip-allowlist.ts";
import { createLocks, type Locks } from "../flow/locks.ts";
import { createNotifier, type Notifier } from "../flow/notifier.ts";
import { createWorker, type Worker } from "../flow/worker.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { providers } from "../providers/index.ts";

/** What the program needs from outside, passed in so that tests decide it. */
export interface AppEnvironment {
  readonly clock: Clock;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes one line to standard output. */
  readonly print: (line: string) => void;
}

/** The parts that outlive a configuration: what is queued, runs or is being sent. */
export interface Services extends AppEnvironment {
  readonly store: Store;
  readonly eventBus: EventBus;
  readonly locks: Locks;
  readonly worker: Worker;
  readonly notifier: Notifier;
  readonly attemptLimiter: AttemptLimiter;
  readonly ipAllowlist: IpAllowlist;
}

/** The part of the configuration that the services read, each time anew. */
interface Configured {
  readonly config: Config;
  readonly channels: readonly NotificationChannel[];
}

/** Creates the services. Nothing runs before the worker and the notifier are woken. */
export function createServices(
  store: Store,
  configured: () => Configured,
  environment: AppEnvironment,
): Services {
  const { clock, env, log } = environment;
  const eventBus = createEventBus(clock);
  const { publish } = eventBus;
  const channels = () => configured().channels;
  const notifier = createNotifier({ store, channels, clock, log });
  const worker = createWorker({
    store,
    clock,
    log,
    configured: () => {
      const { sources, targets, server } = configured().config;
      return { sources, targets, maxDeployments: server.maxDeployments, subscriptions: channels() };
    },
    publish,
    wakeNotifier: notifier.wake,
    deploy: (job, io) =>
      withPayloadFile(temporaryOf(configured().config), job.deployment.id, job.payload, (payloadFile) =>
        deploy({ ...job, payloadFile }, { clock, env, run: runProcess, ...io }),
      ),
  });
  const targets = () => configured().config.targets;
  const locks = createLocks({ store, targets, clock, log, publish, wakeWorker: worker.wake });
  const ipAllowlist = createIpAllowlist({
    ...describePublishers(() => configured().config.server.rangesUrls),
    store,
    clock,
    log,
  });
  const attemptLimiter = createAttemptLimiter(clock);
  return { ...environment, store, eventBus, locks, worker, notifier, attemptLimiter, ipAllowlist };
}

/** The lists of ranges that providers publish, and how each is downloaded from where the configuration says. */
function describePublishers(
  urls: () => Readonly<Record<string, string>>,
): Pick<AllowlistServices, "builtIn" | "fetch"> {
  const publishers = new Map(
    providers.flatMap(({ name, publishedRanges }) =>
      publishedRanges === undefined ? [] : [[name, publishedRanges]],
    ),
  );
  return {
    builtIn: Object.fromEntries([...publishers].map(([name, { builtIn }]) => [name, builtIn])),
    async fetch(list, signal) {
      const publisher = publishers.get(list);
      return publisher === undefined ? [] : publisher.fetch(urls()[list] ?? publisher.url, signal);
    },
  };
}

/** The directory of the payload files of running deployments. */
export function temporaryOf({ dataDir }: Config): string {
  return join(dataDir, "tmp");
}
