import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ProcessIo } from "../../domain/layout.ts";
import { readFile, realpath } from "../../lib/files.ts";
import { DeploymentError } from "../failure.ts";
import type { Git } from "./git.ts";

/**
 * Checks out the submodules of a local repository level by level, so that every URL is checked before git reads from it:
 * the service may read the directories of all targets, and a repository may only be deployed with what its own author may
 * read. Rejects with a {@link DeploymentError}.
 */
export async function updateLocalSubmodules(git: Git, io: ProcessIo): Promise<void> {
  // A known URL may have changed. Afterwards a relative one is absolute.
  await git.run(["submodule", "--quiet", "init"], io);
  await git.run(["submodule", "--quiet", "sync"], io);
  for (const line of (await git.read(["config", "--local", "--get-regexp", "^submodule\\..*\\.url$"])) ??
    []) {
    const [, url] = /^submodule\.\S.*?\.url (.+)$/.exec(line) ?? [];
    if (url !== undefined) await assertNoTarget(url);
  }
  await git.run(["submodule", "update", "--force"], io, { "protocol.file.allow": "always" });
  const entries = (await git.read(["ls-files", "--stage"], io.signal)) ?? [];
  for (const entry of entries) {
    const [, path] = /^160000 [0-9a-f]+ 0\t(.+)$/.exec(entry) ?? [];
    if (path === undefined) continue;
    const nested = await git.inside(path);
    const hasModules = (await nested.read(["ls-files", "--", ".gitmodules"], io.signal))?.includes(
      ".gitmodules",
    );
    if (hasModules) await updateLocalSubmodules(nested, io);
  }
}

/** Rejects the path of a target's mirror or of one of its releases, also through links. */
async function assertNoTarget(url: string): Promise<void> {
  const path = await pathOf(url);
  if (path === null) return;
  for (let at = path; ; at = dirname(at)) {
    if ((await isMirror(at)) || (await isMirror(join(at, "repo")))) {
      throw new DeploymentError("checkout_failed", `submodule ${url} is in the directory of another target`);
    }
    if (at === dirname(at)) return;
  }
}

/** The real path of a local URL; null for another URL, and for a path that does not exist, which git then reports. */
async function pathOf(url: string): Promise<string | null> {
  const path = /^file:\/\//.test(url) ? decodePath(url) : url;
  // A colon before the first slash belongs to an address on another machine (git-clone(1), "Git URLs").
  if (path === null || (!path.startsWith("/") && !/^[^/]*:/.test(path))) {
    throw new DeploymentError("checkout_failed", `submodule ${url} is not an absolute path`);
  }
  if (!path.startsWith("/")) return null;
  try {
    return await realpath(path);
  } catch {
    return null;
  }
}

/** The path of a file URL as git reads it: everything after the slashes, including a host (`file://srv/x` is `/srv/x`). */
function decodePath(url: string): string | null {
  try {
    return `/${decodeURIComponent(url.slice("file://".length))}`;
  } catch {
    return null;
  }
}

/** Whether a directory is the mirror of a target, which alone has such refs. */
async function isMirror(path: string): Promise<boolean> {
  if (existsSync(join(path, "refs", "hooklatch"))) return true;
  const packed = join(path, "packed-refs");
  return existsSync(packed) && (await readFile(packed, "utf8")).includes(" refs/hooklatch/");
}
