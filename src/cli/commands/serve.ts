import { Command } from "commander";
import { type App, startApp } from "../../app/index.ts";
import { type Config, describeIssue } from "../../config/load.ts";
import { AppError } from "../../lib/errors.ts";
import { createLog, type Log } from "../../lib/log.ts";
import { findNearest } from "../../lib/text.ts";
import { CONFIG_OPTION, readConfiguration } from "../configuration.ts";
import type { Terminal } from "../terminal.ts";

/** `hooklatch serve`: runs the server until it is asked to stop. */
export function serve(terminal: Terminal): Command {
  return (
    new Command("serve")
      .description("run the server (also what a bare `hooklatch` does)")
      .option(...CONFIG_OPTION)
      // A word that is no command ends up here, because serving is what happens without one.
      .allowExcessArguments()
      .action(async (_options, command: Command) => {
        const [word] = command.args;
        if (word !== undefined)
          throw new AppError(
            "configuration",
            `unexpected ${JSON.stringify(word)}: no such command; ${suggest(word, command.parent)}`,
          );
        const { config: file, debug = false } = command.optsWithGlobals<{
          config?: string;
          debug?: boolean;
        }>();
        const { config, warnings } = readConfiguration(file, terminal, { toServe: true });
        const log = await createLog({ write: terminal.log, pretty: terminal.isTty.stderr, debug });
        for (const warning of warnings) log.warn({}, describeIssue(warning));

        const stopped = terminal.untilStopped();
        const print = (line: string) => terminal.out(`${line}\n`);
        const stopping = new AbortController();
        void stopped.then(() => stopping.abort());
        const surroundings = { clock: terminal.clock, log, env: terminal.env, print };
        // Before there is anything to reload: unheard, the signal would end a server that waits for its certificate.
        const reloads = createReloader(config.file ?? file, log, terminal);
        const app = await startApp(config, surroundings, stopping.signal);
        if (app === null) return;
        reloads.begin(app);
        if (config.file === null && terminal.isTty.stdout) {
          // After the log's lines, which are written together at the end of this turn.
          setImmediate(() => terminal.out(explainHowToTry(app.url, config)));
        }
        await stopped;
        log.info({}, "stopping: answering what is under way and giving deployments their grace");
        await app.close();
        log.info({}, "stopped");
      })
  );
}

/** The command that was meant, where one is near; else where all of them are. */
function suggest(word: string, program: Command | null): string {
  const names = program?.commands.map((command) => command.name()) ?? [];
  const nearest = findNearest(word, names);
  return nearest.isLikely ? `did you mean ${nearest.word}?` : "see hooklatch --help";
}

/** For somebody who just started it with nothing configured: lines to paste into another terminal. */
function explainHowToTry(url: URL, config: Config): string {
  const source = config.sources.find(({ handler }) => handler.handshake !== null);
  const kept = config.generated.find((generated) => generated.source === source?.name);
  if (source === undefined) return "";
  const token = kept === undefined ? "$WEBHOOK_VERIFY_TOKEN" : `$(cat '${kept.file}')`;
  const hook = new URL(source.path, url).href;
  return `
Nothing is configured, so the two sources of the manual are served. To try it, paste into another terminal:

  # show the token: your address may POST for the next 24 hours
  curl -H "Authorization: Bearer ${token}" ${hook}
  # send something: it is kept, and printed here
  curl -H 'Content-Type: application/json' -d '{"hello":"world"}' ${hook}

\`hooklatch init\` writes a configuration, \`hooklatch demo\` shows a deployment, Ctrl-C stops.

`;
}

/** What takes SIGHUP before there is anything to reload. */
export interface Reloader {
  /** From now on each signal has this server read its configuration again; one that came before does it now. */
  begin(app: App): void;
}

/**
 * Takes SIGHUP from now on: unheard, it would end a server that still waits for its first certificate. `file` is the one
 * that the server starts with, undefined for none.
 */
export function createReloader(file: string | undefined, log: Log, terminal: Terminal): Reloader {
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
    for (const warning of warnings) log.warn({}, describeIssue(warning));
    await app.reload(config);
    return config.file ?? file;
  } catch (error) {
    if (!(error instanceof AppError)) log.error({ err: error }, "could not take over the configuration");
    else tellFaults(error, log);
    return file;
  }
}

function tellFaults({ message }: AppError, log: Log): void {
  for (const line of message.split("\n")) log.error({}, `the configuration stays as it was: ${line}`);
}
