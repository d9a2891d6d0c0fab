import { runProcess } from "../deploy/process/process.ts";
import type { Target } from "../domain/target.ts";
import { type CheckResult, fail, ok, warn } from "./index.ts";

/**
 * The oldest git that does everything we ask of it, and what that is. GIT_CONFIG_COUNT, by which tokens are handed to
 * it, came with 2.31, `worktree repair` and `rev-parse --end-of-options` with 2.30, gpg.format=ssh with 2.34.
 */
const NEEDED = { version: [2, 31], why: "which releases and tokens need" } as const;
const NEEDED_TO_VERIFY = { version: [2, 34], why: "which verify_commit needs" } as const;

/** The git program, where a target needs it. */
export async function checkGit(targets: readonly Target[], path: string): Promise<readonly CheckResult[]> {
  if (targets.every(({ repository }) => repository === null)) return [];
  const lines: string[] = [];
  const result = await runProcess(["git", "--version"], {
    cwd: "/",
    env: { PATH: path },
    onLine: (line) => lines.push(line),
    signal: AbortSignal.timeout(10_000),
  });
  if (result.exitCode !== 0) {
    return [fail("git was not found in PATH; install it (Debian: apt-get install git)")];
  }
  const told = lines[0] ?? "git";
  const { version, why } = targets.some(({ allowedSigners }) => allowedSigners !== null)
    ? NEEDED_TO_VERIFY
    : NEEDED;
  return [
    isOlder(told, version)
      ? warn(`${told} is older than ${version.join(".")}, ${why}: install a newer one`)
      : ok(told),
  ];
}

/** Of a version that cannot be read nothing is said. */
function isOlder(told: string, [major, minor]: readonly [number, number]): boolean {
  const [, foundMajor, foundMinor] = /(\d+)\.(\d+)/.exec(told) ?? [];
  if (foundMajor === undefined || foundMinor === undefined) return false;
  return Number(foundMajor) * 1_000 + Number(foundMinor) < major * 1_000 + minor;
}
