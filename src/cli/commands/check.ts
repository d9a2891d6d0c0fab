import { accessSync, constants } from "node:fs";
import { resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { findDataDirectory } from "../../config/data-directory.ts";
import { type ConfigIssue, describeIssue } from "../../config/load.ts";
import { adviseUnreadable } from "../../doctor/data-directory.ts";
import { ownerOf } from "../../doctor/files.ts";
import { type CheckResult, checkAll } from "../../doctor/index.ts";
import { explainPayload, type PayloadSample } from "../../doctor/payload.ts";
import { AppError } from "../../lib/errors.ts";
import { readConfiguration } from "../configuration.ts";
import { CONFIG_OPTION, withExamples } from "../options.ts";
import { formatResult } from "../output/check-result.ts";
import { createStyle } from "../output/style.ts";
import { EXIT, type Finish, type Terminal } from "../terminal.ts";
import { readPayload } from "./send.ts";

/** `hooklatch check`: prints one line per finding, and exits with 1 if one has the level `fail`. */
export function check(terminal: Terminal, finish: Finish): Command {
  const command = new Command("check")
    .description("check the configuration and everything it refers to; change nothing")
    .option(...CONFIG_OPTION)
    .option("--payload <file>", "only show what the JSON of this file would deploy, and which rules decide")
    .option("--event <name>", "with --payload: the provider's name of the event (default: push)")
    .option("--source <name>", "with --payload: the source that gets it (default: the only one)")
    .option("--header <name: value>", "with --payload: a header of the request; may be repeated", addHeader)
    .action(async (options: CheckOptions) => {
      const { config: file, payload, event = "push" } = options;
      if (payload === undefined) rejectPayloadOptions(options);
      const environment = { ...terminal, env: withCredentials(terminal.env) };
      const advise = (faults: readonly ConfigIssue[]) => adviseOnFaults(faults, file, environment);
      const { config, warnings } = readConfiguration(file, environment, {}, advise);
      const first =
        config.file === null ? "no configuration file; using the defaults" : `configuration ${config.file}`;
      const results: readonly CheckResult[] =
        payload === undefined
          ? [
              { level: "ok", text: first },
              ...warnings.map((warning) => ({ level: "warn", text: describeIssue(warning) }) as const),
              ...(await checkAll(config, environment)),
            ]
          : explainPayload(
              config,
              {
                ...options,
                event,
                json: readPayload(resolve(terminal.cwd, payload)),
                headers: options.header ?? [],
              },
              terminal.clock,
            );
      const style = createStyle(terminal);
      for (const result of results) terminal.out(formatResult(result, style));
      if (results.some(({ level }) => level === "fail")) finish(EXIT.failed);
    });
  return withExamples(
    command,
    "hooklatch check",
    "hooklatch check --config /etc/hooklatch/hooklatch.toml",
    "hooklatch check --payload payload.json --event release",
  );
}

interface CheckOptions {
  readonly config?: string;
  readonly payload?: string;
  readonly event?: string;
  readonly source?: string;
  readonly header?: PayloadSample["headers"];
}

/** Without a payload these options would change nothing. */
function rejectPayloadOptions({ event, source, header }: CheckOptions): void {
  for (const [name, value] of Object.entries({ event, source, header })) {
    if (value !== undefined) throw new AppError("configuration", `--${name} needs --payload`);
  }
}

function addHeader(text: string, previous: PayloadSample["headers"] = []): PayloadSample["headers"] {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new InvalidArgumentError('expected "name: value", such as "x-tenant: acme"');
  }
  return [...previous, [name, value]];
}

/** Where systemd puts the credentials of `hooklatch.service` while it runs. */
const SERVICE_CREDENTIALS = "/run/credentials/hooklatch.service";

/** The environment, with the credentials of the running service if this user may read them and no others are set. */
export function withCredentials(
  env: Terminal["env"],
  directory: string = SERVICE_CREDENTIALS,
): Terminal["env"] {
  if (env.CREDENTIALS_DIRECTORY !== undefined) return env;
  try {
    accessSync(directory, constants.R_OK | constants.X_OK);
  } catch {
    return env; // The service does not run, or this is not its user.
  }
  return { ...env, CREDENTIALS_DIRECTORY: directory };
}

/** The user of the service may read files that another user may not. */
function adviseOnFaults(
  faults: readonly ConfigIssue[],
  file: string | undefined,
  terminal: Terminal,
): readonly string[] {
  if (!faults.some(({ code }) => code === "permission_denied")) return [];
  const dataDir = findDataDirectory(file, terminal);
  return [adviseUnreadable(dataDir === null ? null : ownerOf(dataDir), process.getuid?.() ?? null)];
}
