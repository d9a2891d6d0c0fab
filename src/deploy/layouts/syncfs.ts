import type { LayoutContext, ProcessIo } from "../../domain/layout.ts";
import { toOneLine } from "../../lib/text.ts";

/**
 * Has everything written so far to a directory's file system put on the disk (syncfs(2), with sync(1)), so that no
 * power failure leaves a link to files that are empty. It goes on without, and says so, where that cannot be done.
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
