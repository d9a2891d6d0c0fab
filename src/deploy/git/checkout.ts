import type { ProcessIo } from "../../domain/layout.ts";
import { DeploymentError } from "../failure.ts";
import type { Git, GitSettings } from "./git.ts";
import { updateLocalSubmodules } from "./local-submodules.ts";

/** The settings of `git lfs install` (git-lfs-install(1)). Without them git-lfs leaves the pointers in place. */
const LFS_FILTER: GitSettings = {
  "filter.lfs.smudge": "git-lfs smudge -- %f",
  "filter.lfs.clean": "git-lfs clean -- %f",
  "filter.lfs.process": "git-lfs filter-process",
  "filter.lfs.required": "true",
};

const LFS_FILES = ":(attr:filter=lfs)";

/** The file that lists the submodules. */
const MODULES = ".gitmodules";

const IN_SUBMODULES = ["submodule", "--quiet", "foreach", "--recursive"] as const;

/** Constant commands for the shell of `git submodule foreach`. The second does for a submodule what `lfsUrlOf` does. */
const LIST_LFS_FILES = `git ls-files --stage '${LFS_FILES}'`;
const PULL_LFS_FILES = `test -z "$(${LIST_LFS_FILES})" && exit
url=$(git config --get remote.origin.url)
case $url in http://*|https://*|git://*) url=\${url%/}; url=\${url%.git}.git/info/lfs;; esac
git -c lfs.url="$url" lfs pull`;

/**
 * The server of the files in Git LFS that belongs to a clone URL (git-lfs, docs/api/server-discovery). Given with each
 * call, because `.lfsconfig` in the repository could otherwise name any host.
 */
function lfsUrlOf(cloneUrl: string): string {
  if (!/^(?:https?|git):\/\//.test(cloneUrl)) return cloneUrl;
  return `${cloneUrl.replace(/\/$/, "").replace(/\.git$/, "")}.git/info/lfs`;
}

/**
 * Checks out what git does not check out by itself: submodules, recursively, and the content of files in Git LFS. `git`
 * works in the checkout, at its final path, which submodules record; its remote `origin` has the clone URL, the base of
 * relative submodule URLs. Rejects with a {@link DeploymentError}.
 */
export async function completeCheckout(git: Git, cloneUrl: string, io: ProcessIo): Promise<void> {
  const files = await listFiles(git, ["ls-files", "--stage", "--", LFS_FILES, MODULES], io);
  const hasLfsFiles = files.some((file) => file !== MODULES);
  if (hasLfsFiles) await runLfs(git, ["lfs", "pull"], { ...LFS_FILTER, "lfs.url": lfsUrlOf(cloneUrl) }, io);
  if (!files.includes(MODULES)) return;
  await updateSubmodules(git, cloneUrl, io);
  if ((await listFiles(git, [...IN_SUBMODULES, LIST_LFS_FILES], io)).length > 0) {
    await runLfs(git, [...IN_SUBMODULES, PULL_LFS_FILES], LFS_FILTER, io);
  }
}

async function updateSubmodules(git: Git, cloneUrl: string, io: ProcessIo): Promise<void> {
  // Only a local repository may have local submodules: one from elsewhere must not read local files.
  const isLocal = cloneUrl.startsWith("/") || cloneUrl.startsWith("file:");
  if (isLocal) {
    await updateLocalSubmodules(git, io);
  } else {
    // A known URL may have changed.
    await git.run(["submodule", "--quiet", "sync", "--recursive"], io);
    const settings = { "protocol.file.allow": "never" };
    await git.run(["submodule", "update", "--init", "--recursive", "--force"], io, settings);
  }
  await git.run([...IN_SUBMODULES, "git clean -ffd --quiet"], io);
}

/** Warnings are on the same stream as the answer, which is `<mode> <object> <stage>` and the file (git-ls-files(1)). */
async function listFiles(
  git: Git,
  args: readonly string[],
  { signal }: ProcessIo,
): Promise<readonly string[]> {
  const lines = (await git.read(args, signal)) ?? [];
  return lines.flatMap((line) => /^\d{6} [0-9a-f]{40,64} \d\t(.+)$/.exec(line)?.[1] ?? []);
}

async function runLfs(
  git: Git,
  args: readonly string[],
  settings: GitSettings,
  io: ProcessIo,
): Promise<void> {
  if ((await git.read(["lfs", "version"], io.signal)) === null && !io.signal.aborted) {
    throw new DeploymentError(
      "checkout_failed",
      "this repository has files in Git LFS, and git-lfs is not installed (Debian: apt-get install git-lfs)",
    );
  }
  await git.run(args, io, settings);
}
