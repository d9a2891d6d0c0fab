import { existsSync } from "node:fs";
import { constants, link, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { LayoutContext, ProcessIo } from "../../domain/layout.ts";
import { systemErrorCode } from "../../lib/errors.ts";
import { appendFile, copyFile, writeFile } from "../../lib/files.ts";
import { createCheckoutGit, type Git, SILENT_IO } from "./git.ts";
import { entriesOf, isPartial } from "./leftovers.ts";

/** The bare repository that a target's commits are fetched into. */
export interface Mirror {
  readonly path: string;
  readonly git: Git;
  readonly cloneUrl: string;
}

/** Errors of link(2) where a file system or its protection allows no hard link (proc(5), "protected_hardlinks"). */
const UNLINKABLE = ["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP"];

/**
 * Creates a repository with `commit` checked out in `path`, which must not exist. It shares objects with the mirror by hard
 * links, which git never writes through, and nothing else: no command in it changes the mirror or another release. It has
 * the mirror's tags. Rejects with a {@link DeploymentError}.
 */
export async function createReleaseRepository(
  path: string,
  mirror: Mirror,
  commit: string,
  context: Pick<LayoutContext, "run" | "env">,
  io: ProcessIo,
): Promise<void> {
  await mkdir(path);
  const git = await createCheckoutGit(path, context);
  const [tags] = await Promise.all([
    mirror.git.read(["for-each-ref", "--format=%(objectname) %(refname)", "refs/tags/"]),
    git.run(["init", "--quiet", "--template="], SILENT_IO),
  ]);
  const own = join(path, ".git");
  await linkTree(join(mirror.path, "objects"), join(own, "objects"), io.signal);
  await copyIfPresent(join(mirror.path, "shallow"), join(own, "shallow"));
  const lines = (tags ?? []).filter((line) => /^[0-9a-f]{40,64} refs\/tags\//.test(line));
  // The format of git-pack-refs(1). A file for each tag would take long.
  await writeFile(join(own, "packed-refs"), lines.map((line) => `${line}\n`).join(""));
  await appendFile(join(own, "config"), describeSettings(mirror.cloneUrl));
  await git.run(["checkout", "--force", "--detach", commit, "--"], io);
}

/** The settings of a release's repository, in the syntax of git-config(1). */
function describeSettings(cloneUrl: string): string {
  const url = `"${cloneUrl.replace(/[\\"]/g, "\\$&")}"`;
  // Repacking would copy the objects. The URL is the base of relative submodule URLs, and of Git LFS.
  return `[gc]\n\tauto = 0\n[remote "origin"]\n\turl = ${url}\n`;
}

/** Gives a repository the content of the files in Git LFS that another one has, by its git directory. */
export async function shareLfsFiles(from: string, to: string, signal: AbortSignal): Promise<void> {
  const objects = join("lfs", "objects");
  if (existsSync(join(from, objects))) await linkTree(join(from, objects), join(to, objects), signal);
}

async function linkTree(from: string, to: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await mkdir(to, { recursive: true });
  for (const entry of await entriesOf(from)) {
    const [source, copy] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkTree(source, copy, signal);
    else if (!isPartial(entry.name)) await linkOrCopy(source, copy);
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return;
    if (!UNLINKABLE.includes(systemErrorCode(error) ?? "")) throw error;
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  }
}

async function copyIfPresent(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to);
  } catch (error) {
    if (systemErrorCode(error) !== "ENOENT") throw error;
  }
}
