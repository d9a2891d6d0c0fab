import type { ProcessIo } from "../../domain/layout.ts";
import { type Git, type GitSettings, SILENT_IO } from "./git.ts";
import { checkoutLfsFiles, checkoutSubmoduleLfsFiles, hasLargeFiles } from "./lfs.ts";

/**
 * Brings what a commit names and git does not check out by itself: its submodules, theirs too, and the files that are
 * kept in Git LFS. `git` is open in the checkout, at the place where that stays: submodules remember where they are.
 * Rejects with a {@link Fault} that says why something of it is not to be had.
 */
export async function completeCheckout(git: Git, cloneUrl: string, io: ProcessIo): Promise<void> {
  const [large, tracked] = await Promise.all([
    hasLargeFiles(git, io),
    git.ask(["ls-files", "--", ".gitmodules"], io.signal),
    // Where submodules with a relative URL, and Git LFS, look from.
    git.act(["config", "--replace-all", "--", "remote.origin.url", cloneUrl], SILENT_IO),
  ]);
  if (large) await checkoutLfsFiles(git, io);
  if (!tracked?.includes(".gitmodules")) return;
  await updateSubmodules(git, cloneUrl, io);
  await checkoutSubmoduleLfsFiles(git, io);
}

async function updateSubmodules(git: Git, cloneUrl: string, io: ProcessIo): Promise<void> {
  const settings = settingsFor(cloneUrl);
  // A URL that is known from before may have changed since.
  await git.act(["submodule", "--quiet", "sync", "--recursive"], io);
  await git.act(["submodule", "update", "--init", "--recursive", "--force"], io, settings);
  await git.act(["submodule", "--quiet", "foreach", "--recursive", "git clean -ffd --quiet"], io);
}

/** A repository on this machine may have its submodules here; one from elsewhere has no business with our files. */
function settingsFor(cloneUrl: string): GitSettings {
  const isLocal = cloneUrl.startsWith("/") || cloneUrl.startsWith("file:");
  return isLocal ? { "protocol.file.allow": "always" } : { "protocol.file.allow": "never" };
}
