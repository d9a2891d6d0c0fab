import { Command } from "commander";
import { startApp } from "../app.ts";
import { type Config, describeFinding } from "../config/load.ts";
import { Fault } from "../domain/fault.ts";
import { findNearest } from "../domain/nearest.ts";
import { openLog } from "../log.ts";
import { CONFIG_OPTION, readConfiguration } from "./configuration.ts";
import { takeReloads } from "./reload.ts";
import type { Terminal } from "./terminal.ts";

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
          throw new Fault(
            "configuration",
            `unexpected ${JSON.stringify(word)}: no such command; ${suggest(word, command.parent)}`,
          );
        const { config: file, debug = false } = command.optsWithGlobals<{
          config?: string;
          debug?: boolean;
        }>();
        const { config, warnings } = readConfiguration(file, terminal, { toServe: true });
        const log = await openLog({ write: terminal.log, pretty: terminal.isTty.stderr, debug });
        for (const warning of warnings) log.warn({}, describeFinding(warning));

        const stopped = terminal.untilStopped();
        const print = (line: string) => terminal.out(`${line}\n`);
        const stopping = new AbortController();
        void stopped.then(() => stopping.abort());
        const surroundings = { clock: terminal.clock, log, env: terminal.env, print };
        // Before there is anything to reload: unheard, the signal would end a server that waits for its certificate.
        const reloads = takeReloads(config.file ?? file, log, terminal);
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
  return nearest.meant ? `did you mean ${nearest.word}?` : "see hooklatch --help";
}

/** For somebody who just started it with nothing configured: lines to paste into another terminal. */
function explainHowToTry(url: URL, config: Config): string {
  const source = config.sources.find(({ dialect }) => dialect.handshake !== null);
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
