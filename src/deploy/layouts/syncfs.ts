import type { LayoutContext, ProcessIo } from "../../domain/layout.ts";
import { toOneLine } from "../../lib/text.ts";

/**
 * Flushes everything written so far to a directory's file system (syncfs(2), with sync(1)), so that a power failure leaves
 * no link to empty files. Where that fails, prints so and continues.
 */
export async function syncFileSystem(
  directory: string,
  { run, env }: Pick<LayoutContext, "run" | "env">,
  { onLine, signal }: ProcessIo,
): Promise<void> {
  let last = "";
  const remember = (line: string) => {
    last = line;
  };
  const result = await run(["sync", "-f", "--", directory], { cwd: "/", env, onLine: remember, signal });
  if (result.exitCode !== 0 && !signal.aborted) onLine(`could not flush ${directory}: ${toOneLine(last)}`);
}
