import { readdirSync } from "node:fs";
import { join } from "node:path";
import { runProcess } from "../deploy/process/process.ts";
import { isInPath, writtenAt } from "./files.ts";
import { type CheckResult, ok, warn } from "./index.ts";

/** Milliseconds by which file systems and clocks differ without anything being wrong. */
const TOLERANCE = 60_000;

/**
 * Whether the clock can be right, without asking anybody: nothing here was written in the future, neither `executable`
 * nor what is in the data directory. Then what systemd says of its synchronisation, where `path` has it.
 */
export async function checkClock({
  now,
  dataDir,
  executable,
  path,
}: {
  readonly now: Date;
  readonly dataDir: string;
  readonly executable: string;
  readonly path: string;
}): Promise<CheckResult> {
  const text = `clock: ${now.toISOString().slice(0, 19)}Z`;
  const newest = findNewest([executable, ...listFiles(dataDir)]);
  if (newest !== null && newest.written - now.getTime() > TOLERANCE) {
    const written = new Date(newest.written).toISOString();
    return warn(
      `${text}, but ${newest.file} was written at ${written}: certificates and times are judged wrongly; set the clock`,
    );
  }
  if (await isUnsynchronised(path)) {
    return warn(`${text}, not synchronised: switch that on (timedatectl set-ntp true)`);
  }
  return ok(text);
}

/** Whether systemd says that nothing sets it right (timedatectl(1)); elsewhere nobody says so. */
async function isUnsynchronised(path: string): Promise<boolean> {
  if (!isInPath("timedatectl", path)) return false;
  const lines: string[] = [];
  await runProcess(["timedatectl", "show", "-p", "NTPSynchronized"], {
    cwd: "/",
    env: { PATH: path, LC_ALL: "C" },
    onLine: (line) => lines.push(line),
    signal: AbortSignal.timeout(5_000),
  });
  return lines.includes("NTPSynchronized=no");
}

/** What is in a directory; nothing of one that is not there or may not be looked into. */
function listFiles(directory: string): readonly string[] {
  try {
    return readdirSync(directory).map((name) => join(directory, name));
  } catch {
    return [];
  }
}

function findNewest(files: readonly string[]): { readonly file: string; readonly written: number } | null {
  let newest: { file: string; written: number } | null = null;
  for (const file of files) {
    const written = writtenAt(file) ?? 0;
    if (written > (newest?.written ?? 0)) newest = { file, written };
  }
  return newest;
}
