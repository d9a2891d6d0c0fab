import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_PATH } from "../deploy/process/environment.ts";
import { type CheckResult, ok } from "./check-result.ts";
import { isInPath } from "./files.ts";
import { runTool } from "./machine.ts";

/** The PATH that the server passes to the commands of targets. */
export interface ServicePath {
  readonly path: string;
  /** Whose environment it is from, completing "the PATH of …". */
  readonly owner: string;
}

/** The systemd unit that the documentation installs. */
const UNIT = "hooklatch.service";

/**
 * Finds the PATH of the server: of the process that uses the data directory, else of the installed systemd unit, else of
 * this process. A service has another PATH than the shell of a user.
 */
export async function findServicePath(
  dataDir: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<ServicePath> {
  return (
    readRunningServer(dataDir) ??
    (await readUnit(env.PATH ?? "")) ?? {
      path: env.PATH ?? DEFAULT_PATH,
      owner: `this shell, because neither ${UNIT} nor a running server that this user may examine was found`,
    }
  );
}

/** Reports the PATH of the commands. */
export function describeServicePath({ path, owner }: ServicePath): CheckResult {
  return ok(`commands run with the PATH of ${owner}: ${path}`);
}

/** Null when no server uses the directory, and when this user may not read its environment. */
function readRunningServer(dataDir: string): ServicePath | null {
  const pid = readNumber(join(dataDir, "hooklatch.pid"));
  if (pid === null || !hasOpen(pid, join(dataDir, "hooklatch.lock"))) return null;
  return readProcess(pid, `the running server (process ${pid})`);
}

/** Whether a process has the file open. A killed server may have left its number to another process. */
function hasOpen(pid: number, file: string): boolean {
  const directory = `/proc/${pid}/fd`;
  const real = orNull(() => realpathSync(file));
  return real !== null && listOf(directory).some((name) => readLink(join(directory, name)) === real);
}

function readProcess(pid: number, owner: string): ServicePath | null {
  const environment = readText(`/proc/${pid}/environ`);
  if (environment === null) return null;
  const entry = environment.split("\0").find((each) => each.startsWith("PATH="));
  return { path: entry?.slice("PATH=".length) ?? DEFAULT_PATH, owner };
}

/** Null when systemd does not know the unit. `path` is where systemctl is searched. */
async function readUnit(path: string): Promise<ServicePath | null> {
  if (!isInPath("systemctl", path)) return null;
  const show = ["systemctl", "show", UNIT, "-p", "LoadState", "-p", "MainPID", "-p", "Environment"];
  const { lines } = await runTool(show, path);
  const properties = new Map(lines.map((line) => [line.split("=", 1)[0], line.replace(/^\w+=/, "")]));
  if (properties.get("LoadState") !== "loaded") return null;
  const pid = Number(properties.get("MainPID") ?? 0);
  const running = pid > 0 ? readProcess(pid, `${UNIT} (process ${pid})`) : null;
  if (running !== null) return running;
  const own = findVariable(properties.get("Environment") ?? "");
  if (own !== null) return { path: own, owner: UNIT };
  // The environment that systemd passes to every service.
  const { lines: manager } = await runTool(["systemctl", "show-environment"], path);
  return { path: findVariable(manager.join("\n")) ?? DEFAULT_PATH, owner: UNIT };
}

/** The value of PATH in assignments that systemd prints, which are separated by white space and may be quoted. */
function findVariable(text: string): string | null {
  return /(?:^|\s)"?PATH=([^"\s]+)/.exec(text)?.[1] ?? null;
}

function readNumber(file: string): number | null {
  const number = Number(readText(file) ?? "");
  return Number.isSafeInteger(number) && number > 0 ? number : null;
}

/** Null for a file that is missing, or that this user may not read. */
function readText(file: string): string | null {
  return orNull(() => readFileSync(file, "utf8"));
}

function readLink(path: string): string | null {
  return orNull(() => readlinkSync(path));
}

function listOf(directory: string): readonly string[] {
  return orNull(() => readdirSync(directory)) ?? [];
}

function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
