import { readFileSync } from "node:fs";
import { DEFAULT_PATH } from "../deploy/process/environment.ts";
import { type CheckResult, ok } from "./check-result.ts";
import { isInPath } from "./files.ts";
import { runTool } from "./machine.ts";
import { findRunningServer } from "./running-server.ts";

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
  const server = findRunningServer(dataDir);
  if (server.kind !== "running") return null;
  return readProcess(server.pid, `the running server (process ${server.pid})`);
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

/** Null for a file that is missing, or that this user may not read. */
function readText(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}
