import type { Config } from "../config/load.ts";
import { generateSecrets } from "../config/secrets.ts";
import { killOrphans } from "../deploy/process/orphans.ts";
import { runProcess } from "../deploy/process/process.ts";
import { revertInterruptedRun } from "../deploy/revert.ts";
import type { AbandonedRun } from "../domain/deployment.ts";
import type { Store } from "../domain/store.ts";
import { cancelUnconfigured, revertInterrupted } from "../flow/recovery.ts";
import { type Listener, openListener } from "../http/server/listen.ts";
import { AppError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { stores } from "../store/index.ts";
import { type HandleAdmin, openAdmin } from "./admin.ts";
import { runBackgroundTasks } from "./background-tasks.ts";
import { type Certificates, createCertificates } from "./certificates.ts";
import {
  applyConfiguration,
  type Configured,
  type Constants,
  createConfigured,
  type PreparedConfiguration,
  prepareConfigured,
  wireMetrics,
} from "./configured.ts";
import { listRestartRequired } from "./restart-required.ts";
import { type AppEnvironment, createServices, type Services } from "./services.ts";

/** A running server. */
export interface App {
  /** Where the public listener is, such as `http://127.0.0.1:9000/`. */
  readonly url: URL;
  /**
   * Goes on with another configuration: new requests and deployments follow it, those under way end as they began.
   * What is bound stays until a restart, which is told in the log. Rejects, and changes nothing, when a secret cannot
   * be kept, or with another data directory.
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
 * Opens every room and wires them: with `app/`, the one place that knows them all. Throws a {@link AppError} that says
 * what to do when the data directory, the certificate or the port cannot be had; nothing is left open then. Resolves
 * with null when `stopping` is aborted while the server still waits for its first certificate.
 */
export async function startApp(
  config: Config,
  surroundings: AppEnvironment,
  stopping: AbortSignal,
): Promise<App | null> {
  makeSecrets(config, surroundings.log);
  const store = await stores.sqlite(config.dataDir);
  const server = new Server(config, store, surroundings);
  try {
    if (await server.start(stopping)) return server;
    await server.close();
    return null;
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** A server from its start to its end. */
class Server implements App {
  readonly #closing = new AbortController();
  readonly #ended = new AbortController();
  readonly #engine: Services;
  readonly #constants: Constants;
  #setup: PreparedConfiguration;
  #wired: Configured;
  #certificates: Certificates | null = null;
  #listener: Listener | null = null;
  #admin: Listener | null = null;
  #chores = new AbortController();
  #keeping: Promise<unknown> = Promise.resolve();

  constructor(
    readonly config: Config,
    readonly store: Store,
    readonly surroundings: AppEnvironment,
  ) {
    this.#setup = prepareConfigured(config, this.#ended.signal);
    this.#engine = createServices(store, () => this.#setup, surroundings);
    const certificateExpiresAt = () => this.#certificates?.expiresAt() ?? null;
    const metrics = wireMetrics(() => this.#setup, this.#engine, certificateExpiresAt);
    this.#constants = {
      engine: this.#engine,
      metrics,
      startedAt: surroundings.clock.now(),
      certificateExpiresAt,
      isListening: () => this.#listener !== null,
      closing: this.#closing.signal,
    };
    this.#wired = createConfigured(this.#setup, this.#constants);
  }

  get url(): URL {
    if (this.#listener === null) throw new Error("the server does not listen");
    return this.#listener.url;
  }

  /** Whether it came to listen; not when it is stopped while it waits for a certificate. */
  async start(stopping: AbortSignal): Promise<boolean> {
    const { config, surroundings } = this;
    const { log } = surroundings;
    const abandoned = await applyConfiguration(this.#setup, this.#engine);
    const handleAdmin: HandleAdmin = (request, isOwnHost) => this.#wired.handleAdmin(request, isOwnHost);
    this.#certificates = await createCertificates(
      () => this.#setup.config,
      surroundings,
      this.#closing.signal,
    );
    const { first } = this.#certificates;
    // People can look at a server that waits for its first certificate.
    if (config.server.acme !== null) this.#admin = await openAdmin(config, handleAdmin, log);
    const certificate = await Promise.race([first, untilAborted(stopping)]);
    if (stopping.aborted) return false;
    this.#listener = await openListener({
      ...config.server,
      // It is counted for each request, so that another limit holds without another listener.
      maxBody: null,
      certificate,
      handle: (request, peer) => this.#wired.listener.handle(request, peer),
    });
    if (certificate !== null) this.#certificates.serveOn(this.#listener, certificate);
    this.#admin ??= await openAdmin(config, handleAdmin, log);
    describeListeners(config, this.#listener, this.#admin, log);
    // Deliveries are taken meanwhile.
    void this.#clearUp(abandoned).finally(() => this.#engine.worker.begin());
    this.#goOn();
    return true;
  }

  async reload(next: Config): Promise<void> {
    const { log } = this.surroundings;
    if (this.#closing.signal.aborted) return;
    // Secrets of our own making and running deployments' payloads lie there: half of it would be of another server.
    if (next.dataDir !== this.config.dataDir) {
      throw new AppError(
        "configuration",
        `data_dir cannot become ${next.dataDir} while the server runs: restart it, or put ${this.config.dataDir} back`,
      );
    }
    for (const what of listRestartRequired(this.config, next)) {
      log.warn({}, `${what} changes with the next start only`);
    }
    makeSecrets(next, log);
    this.#setup = prepareConfigured(next, this.#ended.signal);
    this.#wired = createConfigured(this.#setup, this.#constants);
    const { targets, sources } = next;
    await cancelUnconfigured(targets, { ...this.#engine, publish: this.#engine.broadcast.publish });
    await this.#certificates?.look();
    this.#goOn();
    const fields = { sources: sources.map(({ path }) => path), targets: targets.length };
    log.info(fields, "took over the configuration");
  }

  async close(): Promise<void> {
    this.#wired.listener.drain();
    this.#closing.abort();
    // As long as something runs senders are told that it stops, and people can look at it and end it.
    await Promise.allSettled([
      this.#engine.worker.stop(this.#setup.config.server.shutdownGrace),
      this.#certificates?.stop(),
      this.#keeping,
    ]);
    await Promise.allSettled([this.#listener?.stop(REQUEST_GRACE), this.#admin?.stop(REQUEST_GRACE)]);
    await Promise.allSettled([this.#engine.locks.stop(), this.#engine.announcer.stop()]);
    await this.store.close();
    // Not before: nothing is written down of what is given up now, so that it is told at once after the next start.
    this.#ended.abort();
  }

  /** Ends what deployments left running that a crash interrupted, and takes back what they had made live unproven. */
  async #clearUp(abandoned: readonly AbandonedRun[]): Promise<void> {
    const { clock, log, env } = this.surroundings;
    try {
      const pids = await killOrphans(abandoned, clock);
      if (pids.length > 0) log.warn({ pids }, "ended what an interrupted deployment had left running");
    } catch (error) {
      log.error({ err: error }, "could not end what an interrupted deployment had left running");
    }
    await revertInterrupted(abandoned, {
      ...this.#engine,
      restore: (run, live, onLine) =>
        revertInterruptedRun(run, live, { clock, env, run: runProcess, onLine }),
    });
  }

  /** Takes up what waits, and begins the chores of the present configuration. */
  #goOn(): void {
    const { worker, announcer } = this.#engine;
    this.#chores.abort();
    this.#chores = new AbortController();
    const signal = AbortSignal.any([this.#chores.signal, this.#closing.signal]);
    const chores = runBackgroundTasks(this.#setup.config, this.#engine, signal).catch((error: unknown) => {
      this.surroundings.log.error(
        { err: error },
        "a fault of ours ended the chores: they begin again with the next reload",
      );
    });
    this.#keeping = Promise.allSettled([this.#keeping, chores]);
    worker.wake();
    announcer.wake();
  }
}

function untilAborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener("abort", () => resolve(null), { once: true });
  });
}

function makeSecrets(config: Config, log: Log): void {
  for (const { what, file } of generateSecrets(config)) {
    log.warn({ file }, `no ${what} is set: made one, kept in ${file}`);
  }
}

/** Says in the log where the server listens, and what for. */
export function describeListeners(
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
