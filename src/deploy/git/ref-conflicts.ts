import type { ProcessIo } from "../../domain/layout.ts";
import { type Git, isObjectName, SILENT_IO } from "./git.ts";

/**
 * Removes the refs below `prefix` that do not let `name` exist beside them: no ref's name can be the directory of another's
 * (`release` and `release/v2`), and one of both was renamed or deleted on the remote. Prints the commit of each. HEAD stays
 * at its commit.
 */
export async function removeConflictingRefs(
  git: Git,
  prefix: "refs/heads/" | "refs/remotes/origin/",
  name: string,
  io: ProcessIo,
): Promise<void> {
  const wanted = `${prefix}${name}`;
  const lines = (await git.read(["for-each-ref", "--format=%(objectname) %(refname)", prefix])) ?? [];
  for (const line of lines) {
    const [commit = "", ref = ""] = line.split(" ");
    if (!isObjectName(commit) || !(wanted.startsWith(`${ref}/`) || ref.startsWith(`${wanted}/`))) continue;
    io.onLine(`removing ${ref} (${commit}), which does not allow ${wanted} beside it`);
    const isCheckedOut = (await git.read(["symbolic-ref", "--quiet", "HEAD"]))?.includes(ref) ?? false;
    if (isCheckedOut) await git.run(["update-ref", "--no-deref", "HEAD", commit], SILENT_IO);
    await git.run(["update-ref", "-d", ref], SILENT_IO);
  }
}
