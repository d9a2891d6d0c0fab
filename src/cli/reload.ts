import type { App } from "../app.ts";
import { describeFinding } from "../config/load.ts";
import { Fault } from "../domain/fault.ts";
import type { Log } from "../domain/log.ts";
import { readConfiguration } from "./configuration.ts";
import type { Terminal } from "./terminal.ts";

/** What takes SIGHUP before there is anything to reload. */
export interface Reloads {
  /** From now on each signal has this server read its configuration again; one that came before does it now. */
  begin(app: App): void;
}

/**
 * Takes SIGHUP from now on: unheard, it would end a server that still waits for its first certificate. `file` is the one
 * that the server starts with, undefined for none.
 */
export function takeReloads(file: string | undefined, log: Log, terminal: Terminal): Reloads {
  let app: App | null = null;
  let isAwaited = false;
  let inForce = file;

  async function reloadNow(running: App): Promise<void> {
    inForce = await reload(running, inForce, log, terminal);
  }

  terminal.onHangUp(() => {
    if (app !== null) return void reloadNow(app);
    isAwaited = true;
    log.info({}, "the configuration is read again as soon as the server listens");
  });
  return {
    begin(started) {
      app = started;
      if (isAwaited) void reloadNow(started);
    },
  };
}

/**
 * Reads the configuration again, and gives the file that is in force afterwards. A faulty one changes nothing, and every
 * fault of it is told. The one in force is read by its name: where it is gone, the defaults would take its place.
 */
async function reload(
  app: App,
  file: string | undefined,
  log: Log,
  terminal: Terminal,
): Promise<string | undefined> {
  try {
    const { config, warnings } = readConfiguration(file, terminal, { toServe: true });
    for (const warning of warnings) log.warn({}, describeFinding(warning));
    await app.reload(config);
    return config.file ?? file;
  } catch (error) {
    if (!(error instanceof Fault)) log.error({ err: error }, "could not take over the configuration");
    else tellFaults(error, log);
    return file;
  }
}

function tellFaults({ message }: Fault, log: Log): void {
  for (const line of message.split("\n")) log.error({}, `the configuration stays as it was: ${line}`);
}
