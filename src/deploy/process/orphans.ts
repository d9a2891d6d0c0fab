import { readdir, readFile, readlink, realpath, stat } from "node:fs/promises";
import { sep } from "node:path";
import type { AbandonedRun } from "../../domain/deployment.ts";
import type { Clock } from "../../lib/clock.ts";
import { deploymentVariables } from "./environment.ts";
import { GROUP_POLL, KILL_AFTER } from "./process.ts";

/** Milliseconds that a killed process may take to disappear. One that waits for a dead disk may never do so. */
const KILL_TIMEOUT = 30_000;

/**
 * Ends the processes that runs left behind when they were ended or their server was killed, git included: TERM, then
 * KILL, to whole process groups. These are processes of the same user with the deployment's variables in their
 * environment (a working directory in the target's directory counts as HOOKLATCH_DIRECTORY), and the processes of a
 * group that one of them leads. Resolves with the ids of the processes that ended. Finds none without Linux's `/proc`
 * (proc(5)).
 */
export async function killOrphans(runs: readonly AbandonedRun[], clock: Clock): Promise<readonly number[]> {
  if (runs.length === 0 || process.platform !== "linux") return [];
  const marks = await Promise.all(runs.map(markOf));
  const groups = new Set<number>();
  const seen = new Set<number>();
  const start = clock.now().getTime();
  let sentTerm = false;
  for (;;) {
    const orphans = await findOrphans(marks, groups);
    for (const { pid } of orphans) seen.add(pid);
    const waited = clock.now().getTime() - start;
    if (orphans.length === 0 || waited >= KILL_AFTER + KILL_TIMEOUT) {
      for (const { pid } of orphans) seen.delete(pid);
      return [...seen].toSorted((a, b) => a - b);
    }
    // KILL is repeated for processes that started meanwhile.
    if (waited >= KILL_AFTER) send("SIGKILL", orphans, groups);
    else if (!sentTerm) send("SIGTERM", orphans, groups);
    sentTerm = true;
    await clock.sleep(GROUP_POLL);
  }
}

/** What identifies the processes of one abandoned run. */
interface Mark {
  /** Entries of the environment, as `NAME=value`. */
  readonly variables: readonly string[];
  /** The entry with the target's directory. A process that left the directory still has it. */
  readonly directoryVariable: string;
  readonly directory: string;
}

async function markOf({ deployment, target }: AbandonedRun): Promise<Mark> {
  const { HOOKLATCH_DIRECTORY, ...names } = deploymentVariables(target, deployment);
  return {
    variables: Object.entries(names).map(([name, value]) => `${name}=${value}`),
    directoryVariable: `HOOKLATCH_DIRECTORY=${HOOKLATCH_DIRECTORY}`,
    // The kernel reports working directories without symbolic links.
    directory: await realpath(target.directory).catch(() => target.directory),
  };
}

interface Process {
  readonly pid: number;
  readonly group: number;
}

/** Finds the processes with a mark and those in `groups`. Adds each group that a marked process leads to `groups`. */
async function findOrphans(marks: readonly Mark[], groups: Set<number>): Promise<readonly Process[]> {
  const ownGroup = (await readProcess(process.pid))?.group;
  const running = await listProcesses();
  const marked = new Set<number>();
  for (const { pid, group } of running) {
    if (!(await hasMark(pid, marks))) continue;
    marked.add(pid);
    // The process that started the server may be in the server's own group.
    if (group === pid && group !== ownGroup) groups.add(group);
  }
  return running.filter(({ pid, group }) => marked.has(pid) || groups.has(group));
}

/** Every running process of the same user except this one. */
async function listProcesses(): Promise<readonly Process[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const processes = await Promise.all(pids.filter((pid) => pid !== process.pid).map(readProcess));
  return processes.filter((each) => each !== null);
}

/** Null for another user's process, and for a zombie, which only waits for its parent. */
async function readProcess(pid: number): Promise<Process | null> {
  const owner = await stat(`/proc/${pid}`).catch(() => null);
  if (owner?.uid !== process.getuid?.()) return null;
  const status = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  // The name is in parentheses and may contain some: state, parent and group follow the last one.
  const [state = "X", , group] = status.slice(status.lastIndexOf(")") + 2).split(" ");
  return state === "Z" || state === "X" ? null : { pid, group: Number(group) };
}

async function hasMark(pid: number, marks: readonly Mark[]): Promise<boolean> {
  const variables = (await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")).split("\0");
  const candidates = marks.filter((mark) => mark.variables.every((each) => variables.includes(each)));
  if (candidates.length === 0) return false;
  if (candidates.some(({ directoryVariable }) => variables.includes(directoryVariable))) return true;
  const link = await readlink(`/proc/${pid}/cwd`).catch(() => "");
  const cwd = link.replace(/ \(deleted\)$/, "");
  return candidates.some(({ directory }) => cwd === directory || cwd.startsWith(directory + sep));
}

function send(signal: NodeJS.Signals, orphans: readonly Process[], groups: ReadonlySet<number>): void {
  // A negative id is a whole group (kill(2)).
  for (const id of new Set(orphans.map(({ pid, group }) => (groups.has(group) ? -group : pid)))) {
    try {
      process.kill(id, signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}
