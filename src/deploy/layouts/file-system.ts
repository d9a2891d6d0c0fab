import type { LayoutContext, ProcessIo } from "../../domain/layout.ts";
import { toOneLine } from "../../lib/text.ts";

type Processes = Pick<LayoutContext, "run" | "env">;

/** Whether a program succeeded, or the reason why not. */
type ProgramOutcome = { readonly kind: "succeeded" } | { readonly kind: "failed"; readonly reason: string };

/**
 * Gives the owner write access to the directories below `paths`, by which their files can be removed: a build may have
 * taken it away (`chmod -R a-w`, Go's module cache). The mode of files stays, since hard links share it. Repositories are
 * included. Follows no links. The script is constant, and the paths are its arguments.
 */
export async function makeRemovable(
  paths: readonly string[],
  processes: Processes,
  signal: AbortSignal,
): Promise<void> {
  // Before find(1) reads a directory. One of another user stays as it is, and the removal then reports it.
  const script = 'find "$@" -type d ! -perm -700 -exec chmod u+rwx {} \\; 2>/dev/null; true';
  await runProgram(["/bin/sh", "-c", script, "sh", ...paths], processes, signal);
}

/** Gives the owner write access to a directory and everything in it. Follows no links. */
export async function makeWritable(path: string, processes: Processes, signal: AbortSignal): Promise<void> {
  await runProgram(["chmod", "-R", "u+rwX", "--", path], processes, signal);
}

/**
 * Removes directories with rm(1), which `signal` can interrupt: a large directory takes long. Read-only ones are made
 * writable first.
 */
export async function removeTrees(
  paths: readonly string[],
  processes: Processes,
  signal: AbortSignal,
): Promise<ProgramOutcome> {
  if (paths.length === 0) return { kind: "succeeded" };
  const remove = () => runProgram(["rm", "-rf", "--", ...paths], processes, signal);
  let outcome = await remove();
  if (outcome.kind === "failed" && !signal.aborted) {
    await makeRemovable(paths, processes, signal);
    outcome = await remove();
  }
  if (outcome.kind === "succeeded") return outcome;
  const reason = `could not remove ${paths.join(" and ")}: ${outcome.reason || "interrupted"}`;
  return { kind: "failed", reason };
}

/**
 * Flushes everything written so far to a directory's file system (syncfs(2), with sync(1)), so that no link to empty
 * files remains after a power failure. Prints a failure and continues.
 */
export async function syncFileSystem(
  directory: string,
  processes: Processes,
  { onLine, signal }: ProcessIo,
): Promise<void> {
  // Other systems flush all file systems.
  const argv = process.platform === "linux" ? ["sync", "-f", "--", directory] : ["sync"];
  const outcome = await runProgram(argv, processes, signal);
  if (outcome.kind === "succeeded" || signal.aborted) return;
  onLine(`could not flush ${directory}: ${outcome.reason}`);
}

/** The reason of a failure is the last line of output, which may be empty. */
async function runProgram(
  argv: readonly string[],
  { run, env }: Processes,
  signal: AbortSignal,
): Promise<ProgramOutcome> {
  let last = "";
  const onLine = (line: string) => {
    last = line;
  };
  const { exitCode } = await run(argv, { cwd: "/", env, onLine, signal });
  return exitCode === 0 ? { kind: "succeeded" } : { kind: "failed", reason: toOneLine(last) };
}
