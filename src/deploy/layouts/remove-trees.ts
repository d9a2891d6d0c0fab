import type { LayoutContext } from "../../domain/layout.ts";
import { toOneLine } from "../../lib/text.ts";

/**
 * Removes directories with rm(1), which can be cut short when a large one takes long. Resolves with why something is
 * left, or null.
 */
export async function removeTrees(
  paths: readonly string[],
  { run, env }: Pick<LayoutContext, "run" | "env">,
  signal: AbortSignal,
): Promise<string | null> {
  if (paths.length === 0) return null;
  let last = "";
  const onLine = (line: string) => {
    last = line;
  };
  const result = await run(["rm", "-rf", "--", ...paths], { cwd: "/", env, onLine, signal });
  if (result.exitCode === 0) return null;
  return `could not remove ${paths.join(" and ")}: ${toOneLine(last) || "it was interrupted"}`;
}
