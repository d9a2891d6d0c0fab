import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Git, type GitOutcome, SILENT_IO } from "./git.ts";
import { removeBlankFiles, removeLeftovers } from "./leftovers.ts";

/** A bare repository and the names of its refs, or why there is none. */
type BareRepository =
  | { readonly kind: "succeeded"; readonly refs: readonly string[] }
  | Extract<GitOutcome, { kind: "failed" }>;

/** Creates a bare repository in `directory`, or repairs what a killed git or a power failure left there. */
export async function makeBare(directory: string, git: Git): Promise<BareRepository> {
  await removeLeftovers(directory);
  const refs = existsSync(join(directory, "HEAD")) ? await listSoundRefs(git) : null;
  if (refs !== null) return { kind: "succeeded", refs };
  const outcome = await initialise(git);
  if (outcome.kind === "succeeded") return outcome;
  await removeBlankFiles(directory);
  return initialise(git);
}

/** In an existing repository, `git init` only adds what is missing (git-init(1)). */
async function initialise(git: Git): Promise<BareRepository> {
  const outcome = await git.attempt(["init", "--quiet", "--bare", "--template="], SILENT_IO);
  if (outcome.kind === "failed") return { ...outcome, reason: `git init ${outcome.reason}` };
  const refs = await listSoundRefs(git);
  return refs === null
    ? { kind: "failed", code: null, reason: "git cannot read the repository" }
    : { kind: "succeeded", refs };
}

/** The names of all refs; null when git cannot open the repository, or one of them names a missing object. */
export async function listSoundRefs(git: Git): Promise<readonly string[] | null> {
  // The default format: it makes git look for each object. A line is `<object> <type>\t<name>`.
  const lines = await git.read(["for-each-ref"]);
  if (lines === null || lines.some((line) => line.startsWith("warning: ignoring broken ref"))) return null;
  return lines.flatMap((line) => /\t(refs\/.+)$/.exec(line)?.[1] ?? []);
}
