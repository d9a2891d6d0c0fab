import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { Command } from "commander";
import { systemClock } from "../clock.ts";
import { type Config, describeFinding, type Finding } from "../config/load.ts";
import { runProcess } from "../deploy/process.ts";
import { askTip } from "../deploy/remote.ts";
import { Fault } from "../domain/fault.ts";
import type { Target, Watch, WatchedRef } from "../domain/target.ts";
import { readCertificate } from "../http/certificate.ts";
import { CONFIG_OPTION, readConfiguration } from "./configuration.ts";
import { EXIT, type Finish, type Terminal } from "./terminal.ts";

/** One line of the report. */
interface Remark {
  readonly level: "ok" | "warn" | "fail";
  readonly text: string;
}

const DAY = 86_400_000;

/** `hooklatch check`: looks at the configuration and the world it names, and changes nothing. */
export function check(terminal: Terminal, finish: Finish): Command {
  return new Command("check")
    .description("check the configuration and the world it names; change nothing")
    .option(...CONFIG_OPTION)
    .action(async ({ config: file }: { config?: string }) => {
      const { config, warnings } = readConfiguration(file, terminal);
      const remarks = [
        ...checkConfiguration(config, warnings),
        checkDirectory("data directory", config.dataDir),
        ...checkPrivacy(config),
        ...checkSecrets(config),
        ...checkCertificate(config),
        ...checkSources(config),
        ...(await checkGit(config, terminal)),
        ...(await Promise.all(config.targets.map((target) => checkTarget(target, terminal)))).flat(),
      ];
      for (const { level, text } of remarks) terminal.out(`${level.padEnd(4)} ${text}\n`);
      if (remarks.some(({ level }) => level === "fail")) finish(EXIT.failed);
    });
}

function checkConfiguration(config: Config, warnings: readonly Finding[]): Remark[] {
  const read =
    config.file === null ? "no configuration file: the defaults stand" : `configuration ${config.file}`;
  return [ok(read), ...warnings.map((warning) => warn(describeFinding(warning)))];
}

/** A directory that is there and can be written to, or that can be made. */
function checkDirectory(what: string, directory: string): Remark {
  if (!existsSync(directory)) {
    const parent = nearestDirectory(directory);
    return isWritable(parent)
      ? ok(`${what} ${directory} will be made`)
      : fail(`${what} ${directory} cannot be made: ${parent} is not writable for this user`);
  }
  if (!statSync(directory).isDirectory()) return fail(`${what} ${directory} is not a directory`);
  return isWritable(directory)
    ? ok(`${what} ${directory}`)
    : fail(
        `${what} ${directory} is not writable for this user; change its owner, or run as the service's user`,
      );
}

function nearestDirectory(path: string): string {
  return existsSync(path) ? path : nearestDirectory(dirname(path));
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function checkSecrets(config: Config): Remark[] {
  return config.generated.map(({ what, file, secret }) =>
    ok(secret.loaded ? `${what}: ${file}` : `${what} is not set: the first start makes one, in ${file}`),
  );
}

/** What others on the machine could read: the store and the secrets are their owner's alone. */
function checkPrivacy({ dataDir, generated }: Config): Remark[] {
  const loose = [dataDir, ...generated.map(({ file }) => file)].filter((path) => isOpenToOthers(path));
  return loose.map((path) => warn(`${path} is open to others on this machine: chmod go= ${path}`));
}

function isOpenToOthers(path: string): boolean {
  return ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o077) !== 0;
}

function checkCertificate({ server, targets }: Config): Remark[] {
  if (server.tls === null && server.publicUrl?.startsWith("https:")) {
    return [
      warn(`public_url is https, but [server.tls] is not set: a proxy has to speak HTTPS for ${server.host}`),
    ];
  }
  if (server.tls === null) {
    const local = ["127.0.0.1", "::1", "localhost"].includes(server.host);
    const text =
      "no TLS: payloads and verify tokens travel readable; set [server.tls], or keep it behind a proxy that has it";
    return targets.length > 0 && !local ? [warn(text)] : [];
  }
  try {
    const { validTo } = readCertificate(server.tls, systemClock.now());
    const days = Math.floor((validTo.getTime() - systemClock.now().getTime()) / DAY);
    const text = `TLS certificate ${server.tls.cert}: valid until ${validTo.toISOString()} (${days} days)`;
    return [days < 14 ? warn(`${text}; renew it`) : ok(text)];
  } catch (error) {
    if (error instanceof Fault) return [fail(error.message)];
    throw error;
  }
}

function checkSources({ sources, targets }: Config): Remark[] {
  return sources.map(({ name, path, print }) => {
    const listeners = targets.filter(({ source }) => source === name).map((target) => target.name);
    if (listeners.length > 0) return ok(`source ${name} at ${path}: ${listeners.join(", ")}`);
    if (print) return ok(`source ${name} at ${path}: prints what it accepts`);
    return warn(
      `source ${name} at ${path}: no target listens to it and print is off, so deliveries are only kept`,
    );
  });
}

async function checkGit({ targets }: Config, terminal: Terminal): Promise<Remark[]> {
  if (targets.every(({ watch }) => watch === null)) return [];
  const lines: string[] = [];
  const result = await runProcess(["git", "--version"], {
    cwd: "/",
    env: { PATH: terminal.env.PATH ?? "" },
    onLine: (line) => lines.push(line),
    signal: AbortSignal.timeout(10_000),
  });
  if (result.exitCode === 0) return [ok(lines[0] ?? "git")];
  return [fail("git was not found in PATH; install it (Debian: apt-get install git)")];
}

async function checkTarget(target: Target, terminal: Terminal): Promise<Remark[]> {
  const directory =
    target.watch === null && !existsSync(target.directory)
      ? fail(`target ${target.name}: directory ${target.directory} does not exist; commands cannot run there`)
      : checkDirectory(`target ${target.name}: directory`, target.directory);
  if (target.watch === null) return [directory];
  return [directory, await checkRemote(target, target.watch, terminal)];
}

async function checkRemote(target: Target, { cloneUrl, ref }: Watch, terminal: Terminal): Promise<Remark> {
  const what = `target ${target.name}: ${ref.kind === "branch" ? `branch ${ref.name}` : `tags ${ref.pattern}`} of ${cloneUrl}`;
  const answer = await askTip(target, { run: runProcess, env: terminal.env });
  if (answer.kind === "found") return ok(`${what} at ${answer.commit.slice(0, 12)}`);
  return fail(
    answer.kind === "absent" ? `${what}: ${explainAbsence(ref)}` : `${what}: git ls-remote ${answer.reason}`,
  );
}

function explainAbsence(ref: WatchedRef): string {
  return ref.kind === "branch" ? "there is no such branch" : "no tag matches yet";
}

const ok = (text: string): Remark => ({ level: "ok", text });
const warn = (text: string): Remark => ({ level: "warn", text });
const fail = (text: string): Remark => ({ level: "fail", text });
