import { mkdirSync, rmSync } from "node:fs";
import { openAdmin } from "./app/admin.ts";
import { keepUp } from "./app/chores.ts";
import { createEngine, type Engine, temporaryOf } from "./app/engine.ts";
import { describeFixed } from "./app/fixed.ts";
import { prepareSetup, type Setup, type WiredSetup, wireMetrics, wireSetup } from "./app/setup.ts";
import type { AppSurroundings } from "./app/surroundings.ts";
import { generateSecrets } from "./config/generate.ts";
import type { Config } from "./config/load.ts";
import { endOrphans } from "./deploy/orphans.ts";
import type { Log } from "./domain/log.ts";
import { cancelAbandoned, takeUpQueue } from "./flow/take-up.ts";
import { readCertificate } from "./http/certificate.ts";
import { type Listener, openListener } from "./http/listen.ts";
import { stores } from "./store/index.ts";

/** A running server. */
export interface App {
  /** Where the public listener is, such as `http://127.0.0.1:9000/`. */
  readonly url: URL;
  /**
   * Goes on with another configuration: new requests and deployments follow it, those under way end as they began.
   * What needs a restart is told in the log and stays. Rejects, and changes nothing, when a secret cannot be kept.
   */
  reload(config: Config): Promise<void>;
  /**
   * Takes no new request, answers those under way, gives running deployments the configured grace, and
   * closes the store.
   */
  close(): Promise<void>;
}

/** How long requests under way may still take at the end, in milliseconds. */
const REQUEST_GRACE = 10_000;

/**
 * Opens every room and wires them: with `app/`, the one place that knows them all. Throws a {@link Fault} that says
 * what to do when the data directory, the certificate or the port cannot be had; nothing is left open then.
 */
export async function startApp(config: Config, surroundings: AppSurroundings): Promise<App> {
  const { clock, log } = surroundings;
  const certificate = config.server.tls === null ? null : readCertificate(config.server.tls, clock.now());
  makeSecrets(config, log);
  const store = await stores.sqlite(config.dataDir);
  const closing = new AbortController();
  let setup: Setup = prepareSetup(config);
  const engine = createEngine(store, () => setup, surroundings);
  const certificateExpiresAt = () => certificate?.validTo ?? null;
  const basis = { engine, startedAt: clock.now(), certificateExpiresAt, closing: closing.signal };
  const constants = { ...basis, metrics: wireMetrics(() => setup, basis) };
  let wired: WiredSetup = wireSetup(setup, constants);
  let chores = new AbortController();
  let keeping: Promise<unknown> = Promise.resolve();
  const open: Listener[] = [];

  function beginChores(): void {
    chores.abort();
    chores = new AbortController();
    const signal = AbortSignal.any([chores.signal, closing.signal]);
    keeping = Promise.allSettled([keeping, keepUp(setup.config, engine, signal)]);
  }

  async function reload(next: Config): Promise<void> {
    for (const what of describeFixed(config, next)) log.warn({}, `${what} changes with the next start only`);
    makeSecrets(next, log);
    setup = prepareSetup(next);
    wired = wireSetup(setup, constants);
    const { targets, sources } = next;
    await cancelAbandoned(targets, { ...engine, publish: engine.broadcast.publish });
    beginChores();
    engine.worker.wake();
    engine.announcer.wake();
    log.info(
      { sources: sources.map(({ path }) => path), targets: targets.length },
      "took over the configuration",
    );
  }

  try {
    await takeUp(setup, engine);
    const handle: WiredSetup["listener"]["handle"] = (request, peer) => wired.listener.handle(request, peer);
    const server = await openListener({ ...config.server, certificate, handle });
    open.push(server);
    const admin = openAdmin(config, (request, hosts) => wired.handleAdmin(request, hosts), log);
    if (admin !== null) open.push(admin);
    describeListeners(config, server, admin, log);
    engine.worker.wake();
    engine.announcer.wake();
    beginChores();
    return {
      url: server.url,
      reload,
      async close() {
        wired.listener.drain();
        closing.abort();
        const requests = open.map((each) => each.stop(REQUEST_GRACE));
        await Promise.allSettled([
          ...requests,
          engine.worker.stop(setup.config.server.shutdownGrace),
          keeping,
        ]);
        await Promise.allSettled([engine.locks.stop(), engine.announcer.stop()]);
        await store.close();
      },
    };
  } catch (error) {
    await Promise.all([...open.map((each) => each.stop(0)), engine.locks.stop()]);
    await store.close();
    throw error;
  }
}

function makeSecrets(config: Config, log: Log): void {
  for (const { what, file } of generateSecrets(config)) {
    log.warn({ file }, `no ${what} is set: made one, kept in ${file}`);
  }
}

/** Takes up what the last run left, before anything is claimed or decided. */
async function takeUp({ config, messengers }: Setup, engine: Engine): Promise<void> {
  const { store, clock, log, broadcast, locks, allowances } = engine;
  // What a killed run left there, payloads of deployments, is of no use any more.
  rmSync(temporaryOf(config), { recursive: true, force: true });
  mkdirSync(temporaryOf(config), { mode: 0o700 });
  await takeUpQueue(config.targets, {
    store,
    clock,
    log,
    publish: broadcast.publish,
    subscribers: messengers,
    endOrphans: (runs) => endOrphans(runs, clock),
  });
  await locks.load();
  await allowances.load();
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
      port: portOf(url),
      admin_url: admin?.url.href ?? null,
      sources: sources.map(({ path }) => path),
      targets: targets.length,
    },
    `listening on ${url.href}`,
  );
}

/** Null for a unix socket. */
function portOf({ protocol, port }: URL): number | null {
  if (protocol === "unix:") return null;
  return Number(port || (protocol === "https:" ? 443 : 80));
}
