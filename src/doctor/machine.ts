import { statfsSync, statSync } from "node:fs";
import type { Config } from "../config/load.ts";
import { runProcess } from "../deploy/process/process.ts";
import type { Target } from "../domain/target.ts";
import { type CheckResult, fail, ok, warn } from "./check-result.ts";
import { isInPath, nearestExisting } from "./files.ts";

/** Warns if systemd reports that the clock is not synchronised (timedatectl(1)). `path` is the PATH. */
export async function checkClock(now: Date, path: string): Promise<CheckResult> {
  const text = `clock: ${now.toISOString().slice(0, 19)}Z`;
  const show = ["timedatectl", "show", "-p", "NTPSynchronized"];
  const isUnsynchronised =
    isInPath("timedatectl", path) && (await runTool(show, path)).lines.includes("NTPSynchronized=no");
  return isUnsynchronised
    ? warn(`${text}, not synchronised; enable synchronisation: timedatectl set-ntp true`)
    : ok(text);
}

/**
 * The oldest supported versions of git. GIT_CONFIG_COUNT, which passes tokens, came with 2.31; `worktree repair` and
 * `rev-parse --end-of-options` came with 2.30. gpg.format=ssh came with 2.34.
 */
const REQUIRED = [2, 31] as const;
const REQUIRED_FOR_SIGNATURES = [2, 34] as const;

/** Checks that git is installed and new enough, if a target uses it. `path` is the PATH. */
export async function checkGit(targets: readonly Target[], path: string): Promise<readonly CheckResult[]> {
  if (targets.every(({ repository }) => repository === null)) return [];
  const { exitCode, lines } = await runTool(["git", "--version"], path);
  if (exitCode !== 0) return [fail("git not found in PATH; install it (Debian: apt-get install git)")];
  const version = lines[0] ?? "git";
  const verifies = targets.some(({ allowedSigners }) => allowedSigners !== null);
  const [major, minor] = verifies ? REQUIRED_FOR_SIGNATURES : REQUIRED;
  const [, foundMajor = "", foundMinor = ""] = /(\d+)\.(\d+)/.exec(version) ?? [];
  const isOlder =
    foundMinor !== "" && Number(foundMajor) * 1_000 + Number(foundMinor) < major * 1_000 + minor;
  if (!isOlder) return [ok(version)];
  const purpose = verifies ? " for verify_commit" : "";
  return [warn(`${version} is too old: install ${major}.${minor} or later${purpose}`)];
}

/** Runs a program of the system and collects its lines. `path` is the PATH. */
export async function runTool(argv: readonly string[], path: string) {
  const lines: string[] = [];
  const { exitCode } = await runProcess(argv, {
    cwd: "/",
    env: { PATH: path, LC_ALL: "C" },
    onLine: (line) => lines.push(line),
    signal: AbortSignal.timeout(10_000),
  });
  return { exitCode, lines };
}

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

/** Free bytes below which deliveries and deployments soon fail. */
const MIN_FREE = 100 * MIB;

/** Checks the free space of each file system that holds the data directory or a target. */
export function checkDisks({
  dataDir,
  targets,
}: Pick<Config, "dataDir" | "targets">): readonly CheckResult[] {
  const users = [
    { name: "the data directory", path: nearestExisting(dataDir) },
    ...targets.map(({ name, directory }) => ({ name, path: nearestExisting(directory) })),
  ];
  return [...Map.groupBy(users, ({ path }) => statSync(path).dev).values()].map((onDevice) => {
    const { bavail, blocks, bsize } = statfsSync(onDevice[0]?.path ?? dataDir);
    return checkSpace(onDevice.map(({ name }) => name).join(", "), bavail * bsize, blocks * bsize);
  });
}

/** Checks the free bytes of a file system; `users` are the directories on it. */
export function checkSpace(users: string, free: number, total: number): CheckResult {
  if (total === 0)
    return warn(`disk of ${users}: the file system does not report its free space; check it by hand`);
  const share = free / total;
  const amount = free < GIB ? `${Math.floor(free / MIB)} MiB` : `${(free / GIB).toFixed(1)} GiB`;
  const text = `disk of ${users}: ${amount} free (${Math.floor(share * 100)} %)`;
  if (free < MIN_FREE)
    return fail(`${text}: free some space, or deliveries are refused and deployments fail`);
  return free < GIB || share < 0.05 ? warn(`${text}: free some space soon`) : ok(text);
}
