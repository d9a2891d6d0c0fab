import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { generateSecrets } from "./config/generate.ts";
import type { Config } from "./config/load.ts";
import { deploy } from "./deploy/deploy.ts";
import { withPayloadFile } from "./deploy/payload-file.ts";
import { runProcess } from "./deploy/process.ts";
import type { Clock } from "./domain/clock.ts";
import type { Log } from "./domain/log.ts";
import type { Source } from "./domain/source.ts";
import { authorise } from "./flow/authorise.ts";
import { receive } from "./flow/receive.ts";
import { createWorker, type Job } from "./flow/work.ts";
import { parseRange } from "./http/address.ts";
import { readCertificate } from "./http/certificate.ts";
import { listen } from "./http/listen.ts";
import { createPublic } from "./http/public.ts";
import { stores } from "./store/index.ts";

/** What the program needs of the outside, handed in so that tests decide it. */
export interface AppSurroundings {
  readonly clock: Clock;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes one line to standard output. */
  readonly print: (line: string) => void;
}

/** A running server. */
export interface App {
  /** Where the public listener is, such as `http://127.0.0.1:9000/`. */
  readonly url: URL;
  /**
   * Takes no new request, answers those under way, gives running deployments the configured grace, and
   * closes the store.
   */
  close(): Promise<void>;
}

/** How long requests under way may still take at the end, in milliseconds. */
const REQUEST_GRACE = 10_000;

/**
 * Opens every room and wires them: the one place that knows them all. Throws a {@link Fault} that says what
 * to do when the data directory, the certificate or the port cannot be had; nothing is left open then.
 */
export async function startApp(config: Config, { clock, log, env, print }: AppSurroundings): Promise<App> {
  const certificate = config.server.tls === null ? null : readCertificate(config.server.tls, clock.now());
  for (const { what, file } of generateSecrets(config)) {
    log.warn({ file }, `no ${what} is set: made one, kept in ${file}`);
  }
  const temporary = join(config.dataDir, "tmp");
  mkdirSync(temporary, { recursive: true, mode: 0o700 });
  const store = await stores.sqlite(config.dataDir);

  const targetsBySource = Map.groupBy(config.targets, (target) => target.source);
  const targetsOf = (source: Source) => targetsBySource.get(source.name) ?? [];
  const worker = createWorker({
    store,
    clock,
    log,
    sources: config.sources,
    targets: config.targets,
    deploy: (job: Job, io) =>
      withPayloadFile(temporary, job.deployment.id, job.payload, (payloadFile) =>
        deploy({ ...job, payloadFile }, { clock, env, run: runProcess, ...io }),
      ),
  });
  const listener = createPublic({
    sources: config.sources,
    maxBody: config.server.maxBody,
    trustedProxies: config.server.trustedProxies.map(parseRange),
    receive: (source, request) =>
      receive(source, request, { store, clock, log, targetsOf, print, wake: worker.wake }),
    authorise: (source, handshake, request) => authorise(source, handshake, request, { store, clock, log }),
    log,
  });

  try {
    await takeUpQueue();
    const { host, port, maxBody } = config.server;
    const server = listen({ host, port, maxBody, certificate, handle: listener.handle });
    log.info(
      {
        url: server.url.href,
        sources: config.sources.map(({ path }) => path),
        targets: config.targets.length,
      },
      `listening on ${server.url.href}`,
    );
    worker.wake();
    return {
      url: server.url,
      async close() {
        listener.drain();
        await Promise.all([server.stop(REQUEST_GRACE), worker.stop(config.server.shutdownGrace)]);
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }

  /** What the last run left: nothing can be running yet, and some targets may be gone from the configuration. */
  async function takeUpQueue(): Promise<void> {
    for (const { id, target } of await store.interruptRunning(clock.now())) {
      log.warn({ deployment: id, target }, "deployment interrupted: hooklatch stopped while it ran");
    }
    const names = config.targets.map(({ name }) => name);
    for (const { id, target, reason } of await store.cancelOrphans(names, clock.now())) {
      log.warn({ deployment: id, target, reason }, "deployment cancelled");
    }
  }
}
