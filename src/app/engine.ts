import { join } from "node:path";
import type { Config } from "../config/load.ts";
import { deploy } from "../deploy/deploy.ts";
import { withPayloadFile } from "../deploy/payload-file.ts";
import { runProcess } from "../deploy/process.ts";
import type { Messenger } from "../domain/messenger.ts";
import type { Store } from "../domain/store.ts";
import { type Allowances, createAllowances } from "../flow/allow.ts";
import { type Announcer, createAnnouncer } from "../flow/announce.ts";
import { type Broadcast, createBroadcast } from "../flow/broadcast.ts";
import { countGuesses, type Guesses } from "../flow/guesses.ts";
import { createLocks, type Locks } from "../flow/locks.ts";
import { createWorker, type Worker } from "../flow/work.ts";
import { BUILT_IN_HOOK_RANGES, fetchHookRanges } from "../providers/github/hook-ranges.ts";
import type { AppSurroundings } from "./surroundings.ts";

/** The parts that go on while the configuration changes: what runs, waits or is being told. */
export interface Engine extends AppSurroundings {
  readonly store: Store;
  readonly broadcast: Broadcast;
  readonly locks: Locks;
  readonly worker: Worker;
  readonly announcer: Announcer;
  readonly guesses: Guesses;
  readonly allowances: Allowances;
}

/** What of the configuration the engine asks for, each time anew. */
interface Configured {
  readonly config: Config;
  readonly messengers: readonly Messenger[];
}

/** Wires the parts that go on. Nothing runs before the worker and the announcer are woken. */
export function createEngine(
  store: Store,
  configured: () => Configured,
  surroundings: AppSurroundings,
): Engine {
  const { clock, env, log } = surroundings;
  const broadcast = createBroadcast(clock);
  const { publish } = broadcast;
  const messengers = () => configured().messengers;
  const announcer = createAnnouncer({ store, messengers, clock, log });
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
  const allowances = createAllowances({
    fetch: (_list, signal) => fetchHookRanges(configured().config.server.githubRangesUrl, { signal }),
    builtIn: { github: BUILT_IN_HOOK_RANGES },
    store,
    clock,
    log,
  });
  const guesses = countGuesses(clock);
  return { ...surroundings, store, broadcast, locks, worker, announcer, guesses, allowances };
}

/** Where payloads lie for as long as a deployment runs. */
export function temporaryOf({ dataDir }: Config): string {
  return join(dataDir, "tmp");
}
