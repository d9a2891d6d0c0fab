import { join } from "node:path";
import type { Config } from "../config/load.ts";
import { deploy } from "../deploy/deploy.ts";
import { runProcess } from "../deploy/process/process.ts";
import { withPayloadFile } from "../deploy/workspace.ts";
import type { NotificationChannel } from "../domain/notification.ts";
import type { Store } from "../domain/store.ts";
import { type AttemptLimiter, createAttemptLimiter } from "../flow/attempt-limiter.ts";
import { createEventBus, type EventBus } from "../flow/event-bus.ts";
import { type AllowTools, createIpAllowlist, type IpAllowlist } from "../flow/ip-allowlist.ts";
import { createLocks, type Locks } from "../flow/locks.ts";
import { createNotifier, type Notifier } from "../flow/notifier.ts";
import { createWorker, type Worker } from "../flow/worker.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { providers } from "../providers/index.ts";

/** The parts that go on while the configuration changes: what runs, waits or is being told. */
export interface Services extends AppEnvironment {
  readonly store: Store;
  readonly broadcast: EventBus;
  readonly locks: Locks;
  readonly worker: Worker;
  readonly announcer: Notifier;
  readonly guesses: AttemptLimiter;
  readonly allowances: IpAllowlist;
}

/** What of the configuration the engine asks for, each time anew. */
interface Configured {
  readonly config: Config;
  readonly messengers: readonly NotificationChannel[];
}

/** Wires the parts that go on. Nothing runs before the worker and the announcer are woken. */
export function createServices(
  store: Store,
  configured: () => Configured,
  surroundings: AppEnvironment,
): Services {
  const { clock, env, log } = surroundings;
  const broadcast = createEventBus(clock);
  const { publish } = broadcast;
  const messengers = () => configured().messengers;
  const announcer = createNotifier({ store, messengers, clock, log });
  const worker = createWorker({
    store,
    clock,
    log,
    configured: () => {
      const { sources, targets, server } = configured().config;
      return { sources, targets, maxDeployments: server.maxDeployments, subscribers: messengers() };
    },
    publish,
    announce: announcer.wake,
    deploy: (job, io) =>
      withPayloadFile(temporaryOf(configured().config), job.deployment.id, job.payload, (payloadFile) =>
        deploy({ ...job, payloadFile }, { clock, env, run: runProcess, ...io }),
      ),
  });
  const targets = () => configured().config.targets;
  const locks = createLocks({ store, targets, clock, log, publish, wake: worker.wake });
  const allowances = createIpAllowlist({
    ...describePublishers(() => configured().config.server.rangesUrls),
    store,
    clock,
    log,
  });
  const guesses = createAttemptLimiter(clock);
  return { ...surroundings, store, broadcast, locks, worker, announcer, guesses, allowances };
}

/** The lists of ranges that providers publish, and how each is downloaded from where the configuration says. */
function describePublishers(
  urls: () => Readonly<Record<string, string>>,
): Pick<AllowTools, "builtIn" | "fetch"> {
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

/** Where payloads lie for as long as a deployment runs. */
export function temporaryOf({ dataDir }: Config): string {
  return join(dataDir, "tmp");
}

/** What the program needs of the outside, handed in so that tests decide it. */
export interface AppEnvironment {
  readonly clock: Clock;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes one line to standard output. */
  readonly print: (line: string) => void;
}
