import type { LayoutContext, ProcessIo } from "../../domain/layout.ts";
import { toOneLine } from "../../lib/text.ts";

type Processes = Pick<LayoutContext, "run" | "env">;

/** Whether a program succeeded, or the reason why not. */
type ProgramOutcome = { readonly kind: "succeeded" } | { readonly kind: "failed"; readonly reason: string };

/** Removes directories with rm(1), which `signal` can interrupt: a large directory takes long. */
export async function removeTrees(
  paths: readonly string[],
  processes: Processes,
  signal: AbortSignal,
): Promise<ProgramOutcome> {
  if (paths.length === 0) return { kind: "succeeded" };
  const outcome = await runProgram(["rm", "-rf", "--", ...paths], processes, signal);
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
  const outcome = await runProgram(["sync", "-f", "--", directory], processes, signal);
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
