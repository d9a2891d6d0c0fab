import { mkdirSync, rmSync } from "node:fs";
import manifest from "../../package.json" with { type: "json" };
import type { Config } from "../config/load.ts";
import { generateSecrets } from "../config/secrets.ts";
import type { AbandonedRun } from "../domain/deployment.ts";
import type { Store } from "../domain/store.ts";
import { type FleetMember, joinFleet } from "../flow/fleet.ts";
import { cancelUnconfigured, recoverQueue } from "../flow/recovery.ts";
import { createMetrics } from "../http/prometheus.ts";
import {
  createDescriptorReserve,
  type DescriptorReserve,
  readDescriptorLimit,
} from "../http/server/descriptor-reserve.ts";
import { type Listener, openListener } from "../http/server/listen.ts";
import { AppError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { createNotificationChannels } from "../notify/index.ts";
import { cleanUpAbandoned } from "./abandoned-runs.ts";
import { runBackgroundTasks } from "./background-tasks.ts";
import { type Certificates, createCertificates } from "./certificates.ts";
import { createHandlers, type HandleAdmin, type Handlers, type ServerState } from "./handlers.ts";
import { logListeners, openAdmin } from "./listeners.ts";
import { listHostTargets } from "./releases.ts";
import { listRestartRequired } from "./restart-required.ts";
import {
  type ActiveConfiguration,
  type AppEnvironment,
  createServices,
  payloadDirectoryOf,
  type Services,
} from "./services.ts";

/** A running server. */
export interface App {
  /** The address of the public listener, such as `http://127.0.0.1:9000/`. */
  readonly url: URL;
  /** The address of the admin listener; null when its port was taken. */
  readonly adminUrl: URL | null;
  /**
   * Replaces the configuration for new requests and deployments. Resolves with the settings that need a restart, which
   * keep their old value and are logged; null, and nothing changes, when the server is stopping. Rejects, and changes
   * nothing, when a secret cannot be stored, or for another data directory.
   */
  reload(config: Config): Promise<readonly string[] | null>;
  /** Resolves when another process took over the name of this host: this one has to stop. */
  readonly replaced: Promise<void>;
  /** Accepts no new request, finishes open ones, gives running deployments their grace, and closes the store. */
  close(): Promise<void>;
  /**
   * Answers open requests and closes the listeners, after the store has failed. Running deployments go on until the
   * process exits, as in a crash, and the next start recovers them.
   */
  abandon(): Promise<void>;
}

/** Milliseconds that open requests have when the server stops. */
const REQUEST_GRACE = 10_000;

/** Milliseconds that open requests have when the store has failed: they get their 503 at once. */
const ABANDONED_GRACE = 1_000;

/**
 * Starts a server over an open store, which it closes. Rejects with an {@link AppError} that says what to do when a
 * secret, the certificate or the port is not available; nothing is left open then. Resolves with null when `stopping` is
 * aborted while the server waits for its first certificate.
 */
export async function startApp(
  config: Config,
  environment: AppEnvironment,
  stopping: AbortSignal,
  store: Store,
): Promise<App | null> {
  let opened: Pick<App, "close"> = store;
  try {
    createSecrets(config, environment.log);
    const server = new Server(config, store, environment);
    opened = server;
    if (await server.start(stopping)) return server;
  } catch (error) {
    await opened.close();
    throw error;
  }
  await opened.close();
  return null;
}

class Server implements App {
  readonly #closing = new AbortController();
  readonly #ended = new AbortController();
  readonly #services: Services;
  readonly #state: ServerState;
  readonly #descriptors: DescriptorReserve;
  #active: ActiveConfiguration;
  #handlers: Handlers;
  #tokenReplaced = new AbortController();
  #certificates: Certificates | null = null;
  #listener: Listener | null = null;
  #admin: Listener | null = null;
  #fleet: FleetMember | null = null;
  readonly #replaced = Promise.withResolvers<void>();
  #backgroundTasks = new AbortController();
  #backgroundTasksEnded: Promise<unknown> = Promise.resolve();

  constructor(
    readonly config: Config,
    readonly store: Store,
    readonly environment: AppEnvironment,
  ) {
    this.#active = this.#activate(config);
    this.#descriptors = createDescriptorReserve({ limit: readDescriptorLimit(), ...environment });
    this.#services = createServices(store, () => this.#active, environment);
    const startedAt = environment.clock.now();
    const about = () => ({
      version: manifest.version,
      startedAt,
      draining: this.#closing.signal.aborted,
      certificateExpiresAt: this.#certificates?.expiresAt() ?? null,
    });
    this.#state = {
      metrics: createMetrics({ ...this.#services, about }),
      about,
      isListening: () => this.#listener !== null,
      closing: this.#closing.signal,
    };
    this.#handlers = createHandlers(config, this.#services, this.#state, this.#tokenReplaced.signal);
  }

  get url(): URL {
    if (this.#listener === null) throw new Error("the server does not listen");
    return this.#listener.url;
  }

  get replaced(): Promise<void> {
    return this.#replaced.promise;
  }

  get adminUrl(): URL | null {
    return this.#admin?.url ?? null;
  }

  /** Resolves with whether the server listens. It does not when it is stopped while it waits for a certificate. */
  async start(stopping: AbortSignal): Promise<boolean> {
    const { config, environment } = this;
    const { log } = environment;
    const abandoned = await this.#recover();
    await this.#joinFleet();
    this.#certificates = await createCertificates(
      () => this.#active.config,
      { ...environment, challenges: this.store.fleet?.challenges ?? null },
      this.#descriptors,
      this.#closing.signal,
    );
    // The admin listener shows a server that waits for its first certificate.
    if (config.server.acme !== null) await this.#openAdmin();
    const certificate = await Promise.race([this.#certificates?.first ?? null, untilAborted(stopping)]);
    if (stopping.aborted) return false;
    this.#listener = await openListener({
      ...config.server,
      // The handler limits bodies, so that a reload can change the limit.
      maxBody: null,
      certificate,
      handle: (request, peer) => this.#handlers.public.handle(request, peer),
    });
    if (certificate !== null) this.#certificates?.serveOn(this.#listener, certificate);
    this.#descriptors.guard(this.#listener, "first");
    await this.#openAdmin();
    logListeners(config, this.#listener.url, this.#admin?.url ?? null, log);
    // The server accepts deliveries meanwhile.
    void cleanUpAbandoned(abandoned, this.#services).finally(() => this.#services.worker.begin());
    // Requests that came meanwhile are answered first.
    setImmediate(() => {
      if (!this.#closing.signal.aborted) this.#restartBackgroundTasks();
    });
    return true;
  }

  async reload(next: Config): Promise<readonly string[] | null> {
    const { log } = this.environment;
    if (this.#closing.signal.aborted) return null;
    // It holds generated secrets and the payloads of running deployments.
    if (next.dataDir !== this.config.dataDir) {
      throw new AppError(
        "configuration",
        `data_dir cannot change to ${next.dataDir} while the server runs: restart it, or set data_dir back to ${this.config.dataDir}`,
      );
    }
    const needRestart = listRestartRequired(this.config, next);
    for (const setting of needRestart) {
      log.warn({ setting }, `${setting} needs a restart; keeping the old value`);
    }
    createSecrets(next, log);
    if (next.admin.token.reveal() !== this.#active.config.admin.token.reveal()) {
      // The sessions of the old token end, and with them their event streams.
      this.#tokenReplaced.abort();
      this.#tokenReplaced = new AbortController();
    }
    this.#active = this.#activate(next);
    this.#handlers = createHandlers(next, this.#services, this.#state, this.#tokenReplaced.signal);
    await cancelUnconfigured(next.targets, this.#services);
    this.#fleet?.describe();
    await this.#certificates?.checkNow();
    this.#restartBackgroundTasks();
    const fields = { sources: next.sources.map(({ path }) => path), targets: next.targets.length };
    log.info(fields, "configuration reloaded");
    return needRestart;
  }

  async close(): Promise<void> {
    const { worker, locks, notifier } = this.#services;
    this.#handlers.public.drain();
    this.#closing.abort();
    // Meanwhile senders get a 503, and the admin listener still responds.
    await Promise.allSettled([
      worker.stop(this.#active.config.server.shutdownGrace),
      this.#certificates?.stop(),
      this.#backgroundTasksEnded,
    ]);
    await Promise.allSettled([this.#listener?.stop(REQUEST_GRACE), this.#admin?.stop(REQUEST_GRACE)]);
    this.#descriptors.stop();
    await Promise.allSettled([locks.stop(), notifier.stop(), this.#fleet?.stop()]);
    await this.store.close();
    // After the store: a notification that is aborted now is not recorded, and is sent again after the next start.
    this.#ended.abort();
  }

  async abandon(): Promise<void> {
    this.#handlers.public.drain();
    this.#closing.abort();
    await Promise.allSettled([this.#listener?.stop(ABANDONED_GRACE), this.#admin?.stop(ABANDONED_GRACE)]);
  }

  #activate(config: Config): ActiveConfiguration {
    const isShared = this.store.fleet !== null;
    const options = { publicUrl: config.server.publicUrl, isShared, signal: this.#ended.signal };
    return { config, channels: createNotificationChannels(config.notify, config.targets, options) };
  }

  /** Recovers the state of the last run, before anything is claimed or routed. */
  async #recover(): Promise<readonly AbandonedRun[]> {
    const { config, channels } = this.#active;
    const { locks, ipAllowlist } = this.#services;
    // A killed run may have left payload files.
    rmSync(payloadDirectoryOf(config), { recursive: true, force: true });
    mkdirSync(payloadDirectoryOf(config), { mode: 0o700 });
    const abandoned = await recoverQueue(config.targets, channels, this.#services);
    await locks.load();
    await ipAllowlist.load();
    return abandoned;
  }

  /** Before the listener opens: the first delivery is deployed on the hosts that have said what they deploy. */
  async #joinFleet(): Promise<void> {
    const { fleet, host } = this.store;
    if (fleet === null) return;
    this.#fleet = await joinFleet(fleet, {
      ...this.#services,
      version: manifest.version,
      subscriptions: () => this.#active.channels,
      listTargets: () => listHostTargets(this.#active.config.targets, host),
      onReplaced: this.#replaced.resolve,
    });
  }

  /** Opens the admin listener, unless it is open. The start of the service is complete then. */
  async #openAdmin(): Promise<void> {
    const handle: HandleAdmin = (request, host, peer) => this.#handlers.admin(request, host, peer);
    this.#admin ??= await openAdmin(this.config, handle, this.environment.log);
    if (this.#admin !== null) this.#descriptors.guard(this.#admin, "last");
    this.environment.onReady();
  }

  /** Restarts the background tasks with the active configuration, and wakes the worker and the notifier. */
  #restartBackgroundTasks(): void {
    const { worker, notifier, log } = this.#services;
    this.#backgroundTasks.abort();
    this.#backgroundTasks = new AbortController();
    const signal = AbortSignal.any([this.#backgroundTasks.signal, this.#closing.signal]);
    const tasks = runBackgroundTasks(this.#active.config, this.#services, signal).catch((error: unknown) =>
      log.error({ err: error }, "internal error in background tasks; they restart at the next reload"),
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
