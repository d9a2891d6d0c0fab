import { basename, join, resolve } from "node:path";
import type { LayoutContext, PlacedRelease } from "../../domain/layout.ts";
import { isReleaseName } from "../../domain/release.ts";
import type { Target } from "../../domain/target.ts";
import { createGit, type Git, isObjectName } from "../git/git.ts";

/**
 * Describes what `current` leads to when it is this link. Needs the repository only for the commit's full name: where it
 * is missing, so is that name.
 */
export async function describeRelease(
  link: string,
  target: Target,
  context: LayoutContext,
): Promise<PlacedRelease> {
  const { directory, repository } = target;
  const name = basename(link);
  const release = isReleaseName(name) ? name : null;
  const git = createGit(directory, { GIT_DIR: join(directory, "repo") }, context);
  return {
    directory: resolve(directory, link),
    release,
    ref: repository?.ref.kind === "branch" ? repository.ref.name : null,
    commit: release === null ? null : await findCommitOf(release, git),
  };
}

/**
 * The release's commit by the digits in its name. Its HEAD may have been moved by a build, and the digits as a revision
 * may be the name of a tag.
 */
async function findCommitOf(release: string, git: Git): Promise<string | null> {
  const digits = release.slice(release.indexOf("-") + 1);
  const objects = ((await git.ask(["rev-parse", `--disambiguate=${digits}`])) ?? []).filter(isObjectName);
  for (const object of objects) {
    if ((await git.findCommit(object)) === object) return object;
  }
  return null;
}
