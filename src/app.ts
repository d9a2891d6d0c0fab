import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { generateSecrets } from "./config/generate.ts";
import type { Config } from "./config/load.ts";
import { deploy } from "./deploy/deploy.ts";
import { endOrphans } from "./deploy/orphans.ts";
import { withPayloadFile } from "./deploy/payload-file.ts";
import { runProcess } from "./deploy/process.ts";
import { askTip } from "./deploy/remote.ts";
import type { Clock } from "./domain/clock.ts";
import type { Log } from "./domain/log.ts";
import type { Store } from "./domain/store.ts";
import type { Target } from "./domain/target.ts";
import { authorise } from "./flow/authorise.ts";
import { catchUp } from "./flow/catch-up.ts";
import { complainSparingly } from "./flow/complain.ts";
import { rememberOutcomes } from "./flow/decide.ts";
import { prune } from "./flow/prune.ts";
import { receive } from "./flow/receive.ts";
import { repeat } from "./flow/repeat.ts";
import { replay } from "./flow/replay.ts";
import { takeUpQueue } from "./flow/take-up.ts";
import { createWorker, type Job } from "./flow/work.ts";
import { parseRange } from "./http/address.ts";
import { createAdmin } from "./http/admin.ts";
import { readCertificate } from "./http/certificate.ts";
import { collectGarbage, type Listener, listen } from "./http/listen.ts";
import { createPublic } from "./http/public.ts";
import { boundUnverified } from "./http/unverified.ts";
import { equalInConstantTime } from "./providers/hmac.ts";
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

/** What the parts of the program share. */
interface Shared {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly env: AppSurroundings["env"];
  readonly wake: () => void;
}

/** Milliseconds between two looks for what is older than its retention. */
const PRUNE_EVERY = 10 * 60_000;

/** How long requests under way may still take at the end, in milliseconds. */
const REQUEST_GRACE = 10_000;

/**
 * Opens every room and wires them: the one place that knows them all. Throws a {@link Fault} that says what
 * to do when the data directory, the certificate or the port cannot be had; nothing is left open then.
 */
export async function startApp(config: Config, surroundings: AppSurroundings): Promise<App> {
  const { clock, log } = surroundings;
  const certificate = config.server.tls === null ? null : readCertificate(config.server.tls, clock.now());
  for (const { what, file } of generateSecrets(config)) {
    log.warn({ file }, `no ${what} is set: made one, kept in ${file}`);
  }
  const store = await stores.sqlite(config.dataDir);
  const { worker, listener, admin, tools } = wire(config, store, surroundings);
  const open: Listener[] = [];
  try {
    // What a killed run left there, payloads of deployments, is of no use any more.
    rmSync(temporaryOf(config), { recursive: true, force: true });
    mkdirSync(temporaryOf(config), { mode: 0o700 });
    await takeUpQueue(config.targets, { ...tools, endOrphans: (runs) => endOrphans(runs, clock) });
    const server = listen({ ...config.server, certificate, handle: listener.handle });
    open.push(server);
    const adminServer = openAdmin(config, admin, log);
    if (adminServer !== null) open.push(adminServer);
    describeListeners(config, server, adminServer, log);
    worker.wake();

    const closing = new AbortController();
    const chores = keepUp(config, tools, closing.signal);
    return {
      url: server.url,
      async close() {
        listener.drain();
        closing.abort();
        const requests = open.map((each) => each.stop(REQUEST_GRACE));
        await Promise.allSettled([...requests, worker.stop(config.server.shutdownGrace), chores]);
        await store.close();
      },
    };
  } catch (error) {
    await Promise.all(open.map((each) => each.stop(0)));
    await store.close();
    throw error;
  }
}

/** Hands each part what it works with. */
function wire(config: Config, store: Store, { clock, log, env, print }: AppSurroundings) {
  const { sources, targets, server } = config;
  const worker = createWorker({
    store,
    clock,
    log,
    sources,
    targets,
    deploy: (job: Job, io) =>
      withPayloadFile(temporaryOf(config), job.deployment.id, job.payload, (payloadFile) =>
        deploy({ ...job, payloadFile }, { clock, env, run: runProcess, ...io }),
      ),
  });
  const targetsBySource = Map.groupBy(targets, (target) => target.source);
  const decide = rememberOutcomes((source) => targetsBySource.get(source.name) ?? []);
  const complain = complainSparingly(log, clock);
  const tools = { store, clock, log, complain, decide, print, env, wake: worker.wake };
  const listener = createPublic({
    sources,
    maxBody: server.maxBody,
    unverified: boundUnverified(server.maxUnverified, collectGarbage),
    trustedProxies: server.trustedProxies.map(parseRange),
    receive: (source, request) => receive(source, request, tools),
    authorise: (source, handshake, request) => authorise(source, handshake, request, tools),
    log,
  });
  const admin = createAdmin({
    token: config.admin.token,
    equal: equalInConstantTime,
    replay: (id) => replay(id, sources, tools),
    log,
  });
  return { worker, listener, admin, tools };
}

/** Where payloads lie for as long as a deployment runs. */
function temporaryOf({ dataDir }: Config): string {
  return join(dataDir, "tmp");
}

function describeListeners(
  { sources, targets }: Config,
  { url }: Listener,
  admin: Listener | null,
  log: Log,
): void {
  log.info(
    {
      url: url.href,
      port: Number(url.port || (url.protocol === "https:" ? 443 : 80)),
      admin_url: admin?.url.href ?? null,
      sources: sources.map(({ path }) => path),
      targets: targets.length,
    },
    `listening on ${url.href}`,
  );
}

/**
 * Opens the admin listener. On its default port it gives way to whatever is there: that people can look at the
 * server matters less than that deliveries are taken.
 */
function openAdmin({ admin }: Config, handle: ReturnType<typeof createAdmin>, log: Log): Listener | null {
  let hosts: readonly string[] = [];
  try {
    const listener = listen({
      ...admin,
      maxBody: 0,
      certificate: null,
      handle: (request) => handle(request, hosts),
    });
    hosts = [listener.url.host, `localhost:${listener.url.port}`];
    return listener;
  } catch (error) {
    if (admin.isConfigured) throw error;
    log.warn({ err: error }, "no admin listener: set [admin] port to a free one");
    return null;
  }
}

/** What is done beside receiving and deploying: looking for missed pushes, and removing what is old. */
async function keepUp(
  { server, store: retention, targets }: Config,
  { store, clock, log, wake, env }: Shared,
  signal: AbortSignal,
): Promise<void> {
  const ask = (target: Target) => askTip(target, { run: runProcess, env }, signal);
  const look = () => catchUp(targets, { store, clock, log, wake, askTip: ask }, signal);
  await Promise.all([
    server.catchUpEvery === null ? look() : repeat(server.catchUpEvery, look, clock, signal),
    repeat(
      Math.min(PRUNE_EVERY, retention.keepDeliveries, retention.keepDeployments),
      () => prune({ store, clock, log, ...retention }, signal),
      clock,
      signal,
    ),
  ]);
}
