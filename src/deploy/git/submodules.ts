import type { ProcessIo } from "../../domain/layout.ts";
import { type Git, type GitSettings, SILENT_IO } from "./git.ts";
import { checkoutLfsFiles, checkoutSubmoduleLfsFiles, hasLargeFiles } from "./lfs.ts";

/**
 * Checks out what git does not by itself: submodules, recursively, and files in Git LFS. `git` works in the checkout, at
 * its final path, which submodules record. Rejects with a `DeploymentError` that says what could not be fetched.
 */
export async function completeCheckout(git: Git, cloneUrl: string, io: ProcessIo): Promise<void> {
  const [large, tracked] = await Promise.all([
    hasLargeFiles(git, io),
    git.ask(["ls-files", "--", ".gitmodules"], io.signal),
    // The base of relative submodule URLs and of Git LFS.
    git.act(["config", "--replace-all", "--", "remote.origin.url", cloneUrl], SILENT_IO),
  ]);
  if (large) await checkoutLfsFiles(git, io);
  if (!tracked?.includes(".gitmodules")) return;
  await updateSubmodules(git, cloneUrl, io);
  await checkoutSubmoduleLfsFiles(git, io);
}

async function updateSubmodules(git: Git, cloneUrl: string, io: ProcessIo): Promise<void> {
  const settings = settingsFor(cloneUrl);
  // A known URL may have changed.
  await git.act(["submodule", "--quiet", "sync", "--recursive"], io);
  await git.act(["submodule", "update", "--init", "--recursive", "--force"], io, settings);
  await git.act(["submodule", "--quiet", "foreach", "--recursive", "git clean -ffd --quiet"], io);
}

/** Only a repository on this machine may have submodules on it: one from elsewhere must not read local files. */
function settingsFor(cloneUrl: string): GitSettings {
  const isLocal = cloneUrl.startsWith("/") || cloneUrl.startsWith("file:");
  return isLocal ? { "protocol.file.allow": "always" } : { "protocol.file.allow": "never" };
}
