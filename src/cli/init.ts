import { existsSync, lstatSync, mkdirSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { Command } from "commander";
import { describeFinding, Report } from "../config/finding.ts";
import { provideSecretFile } from "../config/generate.ts";
import { readVariable } from "../config/ground.ts";
import { makeNewFile } from "../config/new-file.ts";
import { Fault } from "../domain/fault.ts";
import { readConfiguration } from "./configuration.ts";
import {
  describeConfiguration,
  explainNextSteps,
  GITHUB_SECRET,
  quote,
  secretFile,
  VERIFY_TOKEN,
} from "./init-text.ts";
import type { Terminal } from "./terminal.ts";

interface InitOptions {
  readonly config?: string;
  readonly repository?: string;
  readonly branch?: string;
  readonly directory?: string;
  readonly url: string;
}

/** `hooklatch init`: writes a configuration and fresh secrets, and says what to paste into GitHub. */
export function init(terminal: Terminal): Command {
  return new Command("init")
    .description("write hooklatch.toml and fresh secrets; say what to paste into GitHub")
    .option(
      "-c, --config <file>",
      "where to write the configuration (default: $HOOKLATCH_CONFIG, else hooklatch.toml)",
    )
    .option("--repository <owner/name>", "the repository to deploy")
    .option("--branch <name>", "the branch to deploy (default: main)")
    .option("--directory <path>", "where to deploy to (default: /srv/<name of the repository>)")
    .option("--url <url>", "where the internet reaches this server", "https://YOUR-SERVER:9000")
    .addHelpText(
      "after",
      "\nThe secrets are kept in $HOOKLATCH_DATA_DIR, else in hooklatch-data beside the file.",
    )
    .action((options: InitOptions) => {
      checkOptions(options);
      const label = options.config ?? readNamed("HOOKLATCH_CONFIG", terminal) ?? "hooklatch.toml";
      const file = resolve(terminal.cwd, label);
      refuseToOverwrite(file);
      const named = readNamed("HOOKLATCH_DATA_DIR", terminal);
      const written = named === undefined ? "hooklatch-data" : resolve(terminal.cwd, named);
      const { repository, branch, directory, url } = options;
      const plan = { repository, branch, directory, url, dataDir: written };
      // What an option or a variable held may be no good, and then nothing should have been made.
      const text = describeConfiguration(plan, "without secrets");
      readConfiguration(undefined, terminal, { draft: { file, label, text } });

      const dataDir = resolve(dirname(file), written);
      for (const path of [file, dataDir]) makeParents(path);
      const secret = provideSecret(secretFile(dataDir, GITHUB_SECRET), terminal);
      provideSecret(secretFile(dataDir, VERIFY_TOKEN), terminal);
      writeNew(file, describeConfiguration(plan, "with secrets"));
      terminal.out(`wrote ${relative(terminal.cwd, file)}\n`);
      const also = options.config === undefined ? "" : ` --config ${options.config}`;
      terminal.out(explainNextSteps(plan, { file: label, also, secret }));
    });
}

function checkOptions({ repository, branch, directory, url }: InitOptions): void {
  if (repository !== undefined && !/^[^/\s]+\/[^/\s]+$/.test(repository)) {
    throw new Fault("configuration", `--repository: expected owner/name, found ${quote(repository)}`);
  }
  for (const [option, value] of Object.entries({ branch, directory })) {
    if (value === undefined || repository !== undefined) continue;
    throw new Fault("configuration", `--${option} needs --repository: without it no target is written`);
  }
  if (!/^https?:\/\/[\w.:[\]-]+\/?$/.test(url)) {
    throw new Fault(
      "configuration",
      `--url: expected one like https://hooks.example.com:9000, found ${quote(url)}`,
    );
  }
}

/** A variable that names a path; undefined when it is not set. Set to nothing it is a fault. */
function readNamed(name: string, terminal: Terminal): string | undefined {
  const report = new Report();
  const value = readVariable(name, { ...terminal, directory: terminal.cwd, report });
  const [fault] = report.faults;
  if (fault !== undefined) throw new Fault("configuration", describeFinding(fault));
  return value;
}

/** A symbolic link counts as a file, wherever it leads. */
function refuseToOverwrite(file: string): void {
  const found = attempt(file, () => lstatSync(file, { throwIfNoEntry: false }));
  if (found === undefined) return;
  const what =
    found.isSymbolicLink() && !existsSync(file) ? "a symbolic link that leads nowhere" : "there already";
  throw new Fault("failed", `${file} is ${what} and stays as it is; move it away or choose another --config`);
}

/** The service's user has to get there, whoever makes them: only the data directory itself is private. */
function makeParents(path: string): void {
  attempt(path, () => mkdirSync(dirname(path), { recursive: true, mode: 0o755 }));
}

/** Never replaces a file, also none that came in the meantime. */
function writeNew(file: string, text: string): void {
  if (!attempt(file, () => makeNewFile(file, text, 0o644))) refuseToOverwrite(file);
}

function attempt<T>(file: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new Fault(
      "failed",
      `cannot write ${file}: ${error instanceof Error ? error.message : error}`,
      error,
    );
  }
}

/** Makes a secret file, or keeps the one that is there: a forge may know it already. */
function provideSecret(file: string, terminal: Terminal): string {
  const { value, isNew } = attempt(file, () => provideSecretFile(file));
  const shown = relative(terminal.cwd, file);
  terminal.out(isNew ? `wrote ${shown} (mode 0600)\n` : `kept ${shown}\n`);
  return value;
}
