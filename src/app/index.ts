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
   * Replaces the configuration: new requests and deployments follow the new one, those under way end as they began.
   * Settings that need a restart keep their old value, which is logged. Rejects, and changes nothing, when a secret
   * cannot be stored, or for another data directory.
   */
  reload(config: Config): Promise<void>;
  /**
   * Accepts no new request, responds to those under way, gives running deployments the configured grace, and closes the
   * store.
   */
  close(): Promise<void>;
}

/** Milliseconds that requests under way have at the end. */
const REQUEST_GRACE = 10_000;

/**
 * Creates and wires all parts. Rejects with an {@link AppError} that says what to do when the data directory, the
 * certificate or the port is not available; nothing is left open then. Resolves with null when `stopping` is aborted
 * while the server waits for its first certificate.
 */
export async function startApp(
  config: Config,
  environment: AppEnvironment,
  stopping: AbortSignal,
): Promise<App | null> {
  createSecrets(config, environment.log);
  const store = await stores.sqlite(config.dataDir);
  const server = new Server(config, store, environment);
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
  readonly #services: Services;
  readonly #constants: Constants;
  #prepared: PreparedConfiguration;
  #configured: Configured;
  #certificates: Certificates | null = null;
  #listener: Listener | null = null;
  #admin: Listener | null = null;
  #backgroundTasks = new AbortController();
  #backgroundTasksEnded: Promise<unknown> = Promise.resolve();

  constructor(
    readonly config: Config,
    readonly store: Store,
    readonly environment: AppEnvironment,
  ) {
    this.#prepared = prepareConfigured(config, this.#ended.signal);
    this.#services = createServices(store, () => this.#prepared, environment);
    const certificateExpiresAt = () => this.#certificates?.expiresAt() ?? null;
    const metrics = wireMetrics(() => this.#prepared, this.#services, certificateExpiresAt);
    this.#constants = {
      services: this.#services,
      metrics,
      startedAt: environment.clock.now(),
      certificateExpiresAt,
      isListening: () => this.#listener !== null,
      closing: this.#closing.signal,
    };
    this.#configured = createConfigured(this.#prepared, this.#constants);
  }

  get url(): URL {
    if (this.#listener === null) throw new Error("the server does not listen");
    return this.#listener.url;
  }

  /** Resolves with whether it listens: not when it is stopped while it waits for a certificate. */
  async start(stopping: AbortSignal): Promise<boolean> {
    const { config, environment } = this;
    const { log } = environment;
    const abandoned = await applyConfiguration(this.#prepared, this.#services);
    const handleAdmin: HandleAdmin = (request, isOwnHost) => this.#configured.handleAdmin(request, isOwnHost);
    this.#certificates = await createCertificates(
      () => this.#prepared.config,
      environment,
      this.#closing.signal,
    );
    const { first } = this.#certificates;
    // People can look at a server that waits for its first certificate.
    if (config.server.acme !== null) this.#admin = await openAdmin(config, handleAdmin, log);
    const certificate = await Promise.race([first, untilAborted(stopping)]);
    if (stopping.aborted) return false;
    this.#listener = await openListener({
      ...config.server,
      // Counted for each request, so that a reload can change the limit.
      maxBody: null,
      certificate,
      handle: (request, peer) => this.#configured.listener.handle(request, peer),
    });
    if (certificate !== null) this.#certificates.serveOn(this.#listener, certificate);
    this.#admin ??= await openAdmin(config, handleAdmin, log);
    describeListeners(config, this.#listener, this.#admin, log);
    // Deliveries are accepted meanwhile.
    void this.#recoverInterrupted(abandoned).finally(() => this.#services.worker.begin());
    this.#restartBackgroundTasks();
    return true;
  }

  async reload(next: Config): Promise<void> {
    const { log } = this.environment;
    if (this.#closing.signal.aborted) return;
    // Generated secrets and the payloads of running deployments are there.
    if (next.dataDir !== this.config.dataDir) {
      throw new AppError(
        "configuration",
        `data_dir cannot become ${next.dataDir} while the server runs: restart it, or put ${this.config.dataDir} back`,
      );
    }
    for (const setting of listRestartRequired(this.config, next)) {
      log.warn({ setting }, `${setting} needs a restart; keeping the old value`);
    }
    createSecrets(next, log);
    this.#prepared = prepareConfigured(next, this.#ended.signal);
    this.#configured = createConfigured(this.#prepared, this.#constants);
    const { targets, sources } = next;
    await cancelUnconfigured(targets, { ...this.#services, publish: this.#services.eventBus.publish });
    await this.#certificates?.look();
    this.#restartBackgroundTasks();
    const fields = { sources: sources.map(({ path }) => path), targets: targets.length };
    log.info(fields, "configuration reloaded");
  }

  async close(): Promise<void> {
    this.#configured.listener.drain();
    this.#closing.abort();
    // While something runs, senders get a 503 and people can look at the server.
    await Promise.allSettled([
      this.#services.worker.stop(this.#prepared.config.server.shutdownGrace),
      this.#certificates?.stop(),
      this.#backgroundTasksEnded,
    ]);
    await Promise.allSettled([this.#listener?.stop(REQUEST_GRACE), this.#admin?.stop(REQUEST_GRACE)]);
    await Promise.allSettled([this.#services.locks.stop(), this.#services.notifier.stop()]);
    await this.store.close();
    // After the store: a notification that is given up now is not recorded, and sent again after the next start.
    this.#ended.abort();
  }

  /** Ends the processes that a crash left running, and reverts what their deployments had made live. */
  async #recoverInterrupted(abandoned: readonly AbandonedRun[]): Promise<void> {
    const { clock, log, env } = this.environment;
    try {
      const pids = await killOrphans(abandoned, clock);
      if (pids.length > 0) log.warn({ pids }, "ended processes of an interrupted deployment");
    } catch (error) {
      log.error({ err: error }, "could not end processes of an interrupted deployment");
    }
    await revertInterrupted(abandoned, {
      ...this.#services,
      revert: (run, live, onLine) => revertInterruptedRun(run, live, { clock, env, run: runProcess, onLine }),
    });
  }

  /** Wakes the worker and the notifier, and restarts the background tasks with the present configuration. */
  #restartBackgroundTasks(): void {
    const { worker, notifier } = this.#services;
    this.#backgroundTasks.abort();
    this.#backgroundTasks = new AbortController();
    const signal = AbortSignal.any([this.#backgroundTasks.signal, this.#closing.signal]);
    const tasks = runBackgroundTasks(this.#prepared.config, this.#services, signal).catch(
      (error: unknown) => {
        this.environment.log.error(
          { err: error },
          "internal error in background tasks; they restart at the next reload",
        );
      },
    );
    this.#backgroundTasksEnded = Promise.allSettled([this.#backgroundTasksEnded, tasks]);
    worker.wake();
    notifier.wake();
  }
}

function untilAborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener("abort", () => resolve(null), { once: true });
  });
}

function createSecrets(config: Config, log: Log): void {
  for (const { what, file } of generateSecrets(config)) {
    log.warn({ file }, `no ${what} is set: generated one in ${file}`);
  }
}

/** Logs where the server listens, and for which sources and targets. */
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
