import type { App } from "../app/index.ts";
import { type Config, describeIssue } from "../config/load.ts";
import type { Reload, ReloadOutcome } from "../domain/reload.ts";
import type { Store } from "../domain/store.ts";
import { AppError } from "../lib/errors.ts";
import { createLog, type Log } from "../lib/log.ts";
import { sendDatagram } from "../runtime/index.ts";
import { openPostgres } from "../store/postgres.ts";
import type { StoreThread } from "../store/thread/index.ts";
import { readConfiguration } from "./configuration.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Runs the server of `hooklatch serve`: reads the configuration, starts the server, reloads it on SIGHUP and on request, and
 * stops it on SIGINT or SIGTERM.
 */
export async function runServer(
  { config: file, debug = false }: { readonly config?: string; readonly debug?: boolean },
  terminal: Terminal,
  storeThread: StoreThread,
): Promise<void> {
  const { config, warnings } = readConfiguration(file, terminal, { toServe: true });
  const log = await createLog({
    write: terminal.log,
    format: config.server.logFormat ?? (terminal.isTty.stderr ? "text" : "json"),
    colours: terminal.isTty.stderr,
    debug,
  });
  if (config.file === null) log.info({}, "no configuration file found; using the defaults");
  else log.info({ file: config.file }, "configuration read");
  if (config.file !== null && config.hasDefaultSources) {
    log.info({}, "the configuration has no [[source]]; using the default sources");
  }
  for (const warning of warnings) log.warn({}, describeIssue(warning));
  if (terminal.env.NODE_TLS_REJECT_UNAUTHORIZED === "0") {
    log.warn({}, "NODE_TLS_REJECT_UNAUTHORIZED=0 is ignored: hooklatch verifies every certificate");
  }

  const stopping = new AbortController();
  const stopped = terminal.untilStopped().then(() => stopping.abort());
  const print = (line: string) => terminal.out(`${line}\n`);
  const reloader = createReloader(config, file, log, terminal);
  const environment = {
    ...{ clock: terminal.clock, log, env: terminal.env, print, reload: reloader.reload },
    onReady: () => notifySystemd(terminal.env.NOTIFY_SOCKET, log),
  };
  // SQLite opens in its thread while this one loads the rest of the server.
  const [store, { startApp }] = await Promise.all([
    openStore(config, storeThread),
    import("../app/index.ts"),
  ]);
  const app = await startApp(config, environment, stopping.signal, store);
  if (app === null) return;
  reloader.attach(app);
  void storeThread.failed.then(async (reason) => {
    log.error({ reason }, "the store's thread ended: hooklatch exits, and its next start recovers");
    await app.abandon();
    terminal.abort();
  });
  if (config.file === null && terminal.isTty.stdout) {
    // The log writes its lines at the end of this turn of the event loop.
    setImmediate(() => terminal.out(explainDefaults(app.url, config)));
  }
  const { replaced } = app;
  const isReplaced = await Promise.race([stopped.then(() => false), replaced.then(() => true)]);
  if (isReplaced) log.error({ host: store.host }, "another process took over the name of this host");
  log.info({}, "stopping: open requests and running deployments may finish within their grace periods");
  await app.close();
  log.info({}, "stopped");
  if (isReplaced) {
    throw new AppError(
      "failed",
      `another hooklatch serves host ${store.host}: give each machine its own [store] host, and run one server on each`,
    );
  }
}

/** Opens the store that the configuration names. The thread is that of SQLite. */
function openStore({ store: { postgres }, dataDir }: Config, storeThread: StoreThread): Promise<Store> {
  if (postgres === null) return storeThread.open(dataDir);
  storeThread.end();
  return openPostgres({ ...postgres, url: postgres.url.reveal() });
}

/** Ends the start of a service of `Type=notify` (sd_notify(3)). */
function notifySystemd(socket: string | undefined, log: Log): void {
  if (socket === undefined || sendDatagram(socket, "READY=1")) return;
  log.warn(
    { socket },
    "the service manager was not notified of the start: with Type=notify, it waits forever",
  );
}

/** Commands to try on a server without a configuration. */
function explainDefaults(url: URL, config: Config): string {
  const source = config.sources.find(({ handler }) => handler.handshake !== null);
  if (source === undefined) return "";
  const generated = config.generated.find((each) => each.source === source.name);
  const token = generated === undefined ? "$WEBHOOK_VERIFY_TOKEN" : `$(cat '${generated.file}')`;
  const hook = new URL(source.path, url).href;
  return `
There is no configuration, so the two default sources are active. To try them, paste into another terminal:

  # show the verify token: your address may then POST for 24 hours
  curl -H "Authorization: Bearer ${token}" ${hook}
  # send a delivery: it is stored, and printed here
  curl -H 'Content-Type: application/json' -d '{"hello":"world"}' ${hook}

\`hooklatch init\` writes a configuration. \`hooklatch demo\` shows a deployment. Ctrl-C stops the server.

`;
}

/** Reloads the configuration on SIGHUP and on request. */
interface Reloader {
  readonly reload: Reload;
  /** Names the server to reload, and reloads it if SIGHUP came before. */
  attach(app: App): void;
}

/**
 * Handles SIGHUP from now on: its default action would end a server that waits for its first certificate. Logs the faults
 * of an invalid configuration, which changes nothing.
 *
 * @param first the configuration of the start.
 * @param named the file that `--config` names.
 */
function createReloader(first: Config, named: string | undefined, log: Log, terminal: Terminal): Reloader {
  let app: App | null = null;
  let isPending = false;
  // A file in use stays the one to read: if it is gone, a search would end at the defaults.
  let foundBefore = first.isFound ? first.file : null;

  async function reload(): Promise<ReloadOutcome> {
    if (app === null) return { kind: "not ready" };
    try {
      const { config, warnings } = readConfiguration(named, terminal, {
        toServe: true,
        foundBefore: foundBefore ?? undefined,
      });
      const lines = warnings.map(describeIssue);
      for (const line of lines) log.warn({}, line);
      const needRestart = await app.reload(config);
      if (needRestart === null) return { kind: "not ready" };
      if (config.isFound) foundBefore = config.file;
      return { kind: "reloaded", needRestart, warnings: lines };
    } catch (error) {
      const kept = "configuration not reloaded; the old one stays active";
      if (!(error instanceof AppError)) throw error;
      const faults = error.message.split("\n");
      for (const fault of faults) log.error({}, `${kept}: ${fault}`);
      return { kind: "invalid", faults };
    }
  }

  /** Reloads without a caller: the log gets an internal error. */
  function reloadNow(): void {
    reload().catch((error: unknown) =>
      log.error({ err: error }, "configuration not reloaded; the old one stays active"),
    );
  }

  terminal.onHangUp(() => {
    if (app !== null) return reloadNow();
    isPending = true;
    log.info({}, "SIGHUP received: the configuration will be reloaded once the server listens");
  });
  return {
    reload,
    attach(started) {
      app = started;
      if (isPending) reloadNow();
    },
  };
}
