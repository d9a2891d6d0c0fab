import { readdir, readFile, readlink, realpath, stat } from "node:fs/promises";
import { sep } from "node:path";
import type { AbandonedRun } from "../../domain/deployment.ts";
import type { Clock } from "../../lib/clock.ts";
import type { DeploymentContext, DeployServices } from "../context.ts";
import { deploymentVariables } from "./environment.ts";
import { GROUP_POLL, KILL_AFTER } from "./process.ts";

/** Milliseconds that a killed process may take to disappear. One that waits for a dead disk may never. */
const KILL_TIMEOUT = 30_000;

/**
 * Ends the processes of deployments that were ended early, or whose server was killed, git included: TERM, then KILL, to
 * whole process groups. These are processes of the same user that have the deployment's variables in their environment
 * (a working directory in the target's directory counts as the variable for that), and those in a group that one of them
 * leads. Resolves with the ids of the processes that ended; always none without Linux's `/proc` (proc(5)).
 */
export async function killOrphans(runs: readonly AbandonedRun[], clock: Clock): Promise<readonly number[]> {
  if (runs.length === 0 || process.platform !== "linux") return [];
  const marks = await Promise.all(runs.map(markOf));
  const groups = new Set<number>();
  const seen = new Set<number>();
  const start = clock.now().getTime();
  let last: NodeJS.Signals | null = null;
  for (;;) {
    const orphans = await findOrphans(marks, groups);
    for (const { pid } of orphans) seen.add(pid);
    const waited = clock.now().getTime() - start;
    if (orphans.length === 0 || waited >= KILL_AFTER + KILL_TIMEOUT) {
      const left = orphans.map(({ pid }) => pid);
      return [...seen].filter((pid) => !left.includes(pid)).toSorted((a, b) => a - b);
    }
    const signal = waited < KILL_AFTER ? "SIGTERM" : "SIGKILL";
    // TERM is sent once; KILL also to processes that started meanwhile.
    if (signal !== last || signal === "SIGKILL") send(signal, orphans, groups);
    last = signal;
    await clock.sleep(GROUP_POLL);
  }
}

/** Ends what is left of a deployment whose steps were ended: processes with their own session left the group. */
export async function killOrphansOf(
  { deployment, target }: Pick<DeploymentContext, "deployment" | "target">,
  { clock }: Pick<DeployServices, "clock">,
): Promise<void> {
  await killOrphans([{ deployment: deployment.id, target }], clock);
}

/** What identifies the processes of one abandoned run. */
interface Mark {
  readonly variables: readonly string[];
  /** The variable with the target's directory. A process that left the directory still has it. */
  readonly home: string;
  readonly directory: string;
}

async function markOf({ deployment, target }: AbandonedRun): Promise<Mark> {
  const { HOOKLATCH_DIRECTORY: home, ...names } = deploymentVariables(target, deployment);
  const variables = Object.entries(names).map(([name, value]) => `${name}=${value}`);
  // The kernel reports working directories without symbolic links.
  const directory = await realpath(target.directory).catch(() => target.directory);
  return { variables, home: `HOOKLATCH_DIRECTORY=${home}`, directory };
}

interface Process {
  readonly pid: number;
  readonly group: number;
}

/** Finds processes with a mark and those in `groups`, to which it adds the groups that a marked process leads. */
async function findOrphans(marks: readonly Mark[], groups: Set<number>): Promise<readonly Process[]> {
  const ours = (await readProcess(process.pid))?.group;
  const running = await listProcesses();
  const marked = new Set<number>();
  for (const { pid, group } of running) {
    if (!(await hasMark(pid, marks))) continue;
    marked.add(pid);
    // The server's own group may contain whoever started it.
    if (group === pid && group !== ours) groups.add(group);
  }
  return running.filter(({ pid, group }) => marked.has(pid) || groups.has(group));
}

/** Every running process of the same user, without this one. */
async function listProcesses(): Promise<readonly Process[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.filter((pid) => pid !== process.pid).map(readProcess));
  return found.filter((each) => each !== null);
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
  if (candidates.some(({ home }) => variables.includes(home))) return true;
  const where = await readlink(`/proc/${pid}/cwd`).catch(() => "");
  const cwd = where.replace(/ \(deleted\)$/, "");
  return candidates.some(({ directory }) => cwd === directory || cwd.startsWith(directory + sep));
}

function send(signal: NodeJS.Signals, orphans: readonly Process[], groups: ReadonlySet<number>): void {
  const alone = orphans.filter(({ group }) => !groups.has(group)).map(({ pid }) => pid);
  const together = new Set(orphans.map(({ group }) => group).filter((group) => groups.has(group)));
  for (const id of [...alone, ...[...together].map((group) => -group)]) {
    try {
      process.kill(id, signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}
