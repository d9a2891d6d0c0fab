import { randomBytes } from "node:crypto";
import { lstatSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { type ConfigIssue, loadConfig } from "../../config/load.ts";
import { makePrivateDirectory } from "../../config/secrets.ts";
import { type ImportResult, importHooks, parseHooksFile } from "../../import/index.ts";
import { createFileAtomically } from "../../lib/atomic-file.ts";
import { AppError, describeFileError } from "../../lib/errors.ts";
import { LISTS } from "../configuration.ts";
import { withExamples } from "../options.ts";
import { formatResult } from "../output/check-result.ts";
import { createStyle } from "../output/style.ts";
import { EXIT, type Finish, type Terminal } from "../terminal.ts";

interface ImportOptions {
  readonly output?: string;
  readonly urlprefix: string;
}

/** The directory of secret files, next to the configuration. */
const SECRETS = "secrets";

const EXPLANATION = `
Standard error lists what differs, and why a hook was not translated. Without
--output, secrets are in the printed configuration; with it, each is in a file of
its own with mode 0600, in the directory "secrets" next to the configuration.
Exit code 1: a hook was not translated.`;

/** `hooklatch import`: translates hooks of adnanh/webhook to a configuration. */
export function importCommand(terminal: Terminal, finish: Finish): Command {
  const command = new Command("import")
    .description("translate hooks of adnanh/webhook into a configuration")
    .argument("<file...>", "hooks file, in JSON or YAML")
    .option("-o, --output <file>", "write this file, which must not exist (default: standard output)")
    .option("--urlprefix <prefix>", "first part of the paths, as of webhook -urlprefix", checkPrefix, "hooks")
    .addHelpText("after", EXPLANATION)
    .action(async (paths: readonly string[], { output, urlprefix }: ImportOptions) => {
      const [first = ""] = paths;
      const files = paths.map((path) => ({ path, text: readHooksFile(resolve(terminal.cwd, path), path) }));
      const parsed = await Promise.all(files.map(({ path, text }) => parseHooksFile(text, path)));
      if (parsed.every(({ hooks }) => hooks.length === 0)) {
        throw new AppError("configuration", `${paths.join(", ")}: no hooks`);
      }
      const directory = dirname(resolve(terminal.cwd, first));
      const result = await importHooks(parsed, {
        urlPrefix: urlprefix,
        directory,
        secretsDirectory: output === undefined ? null : SECRETS,
        createToken: () => randomBytes(32).toString("hex"),
        validate: (text, env) => findFaults(text, env, directory),
      });
      if (result.hooks.some(({ level }) => level !== "fail")) {
        if (output === undefined) terminal.out(result.configuration);
        else writeFiles(result, resolve(terminal.cwd, output), terminal);
      }
      report(result, terminal);
      if (result.hooks.some(({ level }) => level === "fail")) finish(EXIT.failed);
    });
  return withExamples(
    command,
    "hooklatch import hooks.json",
    "hooklatch import /etc/webhook.conf --output /etc/hooklatch/hooklatch.toml",
  );
}

function checkPrefix(text: string): string {
  const prefix = text.replaceAll(/^\/+|\/+$/g, "");
  if (/^[A-Za-z0-9._~/-]*$/.test(prefix)) return prefix;
  throw new InvalidArgumentError('Expected a path such as "hooks".');
}

function readHooksFile(file: string, label: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new AppError("configuration", `cannot read ${label}: ${describeFileError(error)}`, error);
  }
}

/** The faults of a configuration on its own, without the environment of this process. */
function findFaults(
  text: string,
  env: Readonly<Record<string, string>>,
  directory: string,
): readonly string[] {
  const file = join(directory, "hooklatch.toml");
  const loaded = loadConfig(undefined, { env, cwd: directory }, LISTS, {
    draft: { file, label: file, text },
  });
  return loaded.kind === "loaded" ? [] : loaded.faults.map(describeFault);
}

/** The one source and target have no names here. */
function describeFault({ path, message }: ConfigIssue): string {
  return `${path.replace(/^(?:source|target)\[0\]\.?/, "")}: ${message}`;
}

/** Nothing is written if one of the files exists. */
function writeFiles(result: ImportResult, file: string, terminal: Terminal): void {
  const { configuration, secretFiles, showsSecrets } = result;
  const directory = join(dirname(file), SECRETS);
  const secrets = secretFiles.map(({ name, text }) => ({ path: join(directory, name), text, mode: 0o600 }));
  const files = [...secrets, { path: file, text: configuration, mode: showsSecrets ? 0o600 : 0o644 }];
  // The configuration is written last, and is the one that the user named.
  const existing = files.findLast(({ path }) => lstatSync(path, { throwIfNoEntry: false }) !== undefined);
  if (existing !== undefined) rejectExisting(existing.path);
  for (const { path, text, mode } of files) {
    try {
      mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
      makePrivateDirectory(dirname(path));
      // Another process may have created the file in the meantime.
      if (!createFileAtomically(path, text, mode)) rejectExisting(path);
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw new AppError("failed", `cannot write ${path}: ${describeFileError(error)}`, error);
    }
    terminal.out(`wrote ${relative(terminal.cwd, path)}${mode === 0o600 ? " (mode 0600)" : ""}\n`);
  }
}

function rejectExisting(path: string): never {
  throw new AppError("failed", `${path} already exists: move it away, or choose another file with --output`);
}

/** Prints what became of each hook, and a summary. */
function report({ hooks, showsSecrets }: ImportResult, terminal: Terminal): void {
  const style = createStyle(terminal, "stderr");
  const print = (level: "ok" | "warn" | "fail", text: string) =>
    terminal.err(formatResult({ level, text }, style));
  for (const { level, label, result, reasons } of hooks) {
    if (level === "fail") {
      for (const reason of reasons) print("fail", `hook ${label}: ${result}: ${reason}`);
      continue;
    }
    print("ok", `hook ${label}: ${result}`);
    for (const reason of reasons) print("warn", `hook ${label}: ${reason}`);
  }
  if (showsSecrets) {
    print("warn", "the configuration holds secrets: only the user of the service may read it");
  }
  const count = (wanted: string) => hooks.filter(({ level }) => level === wanted).length;
  terminal.err(
    `${hooks.length} ${hooks.length === 1 ? "hook" : "hooks"}: ${count("ok")} translated, ${count("warn")} with warnings, ${count("fail")} not translated\n`,
  );
}
