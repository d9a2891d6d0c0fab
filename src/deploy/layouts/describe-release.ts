import { basename, join, resolve } from "node:path";
import type { LayoutContext, PlacedRelease } from "../../domain/layout.ts";
import { isReleaseName } from "../../domain/release.ts";
import type { Target } from "../../domain/target.ts";
import { createGit, type Git, isObjectName } from "../git/git.ts";

/**
 * What `current` leads to when it is this link. The repository is asked for the commit's full name only: going back
 * works without it, and then that name is missed.
 */
export async function describeRelease(
  link: string,
  target: Target,
  tools: LayoutContext,
): Promise<PlacedRelease> {
  const { directory, repository } = target;
  const name = basename(link);
  const release = isReleaseName(name) ? name : null;
  const git = createGit(directory, { GIT_DIR: join(directory, "repo") }, tools);
  return {
    directory: resolve(directory, link),
    release,
    ref: repository?.ref.kind === "branch" ? repository.ref.name : null,
    commit: release === null ? null : await findCommitOf(release, git),
  };
}

/**
 * The release's commit by the digits in its name. Its own HEAD would not do, since a build may have moved it, nor
 * the digits as a revision: a tag may be named like them.
 */
async function findCommitOf(release: string, git: Git): Promise<string | null> {
  const digits = release.slice(release.indexOf("-") + 1);
  const objects = ((await git.ask(["rev-parse", `--disambiguate=${digits}`])) ?? []).filter(isObjectName);
  for (const object of objects) {
    if ((await git.findCommit(object)) === object) return object;
  }
  return null;
}
