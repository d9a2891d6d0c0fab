import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ProcessIo } from "../../domain/layout.ts";
import { isWatchedTag } from "../../domain/match.ts";
import type { RemoteTip, Target, WatchedRef } from "../../domain/target.ts";
import { formatDuration } from "../../lib/duration.ts";
import { realpath, rm } from "../../lib/files.ts";
import type { DeployServices } from "../context.ts";
import { cleanEnvironment } from "../process/environment.ts";
import { credentialEnvironment } from "./credentials.ts";
import { repositoryOf } from "./fetch.ts";
import { createGit, type GitOutcome, isObjectName } from "./git.ts";
import { describeDamagedKey } from "./key-file.ts";

/** Milliseconds that the remote may take. */
const TIMEOUT = 30_000;

/** Asks the target's clone URL for the branch's tip, or the newest matching tag (git-ls-remote(1)). */
export async function readRemoteTip(
  target: Target,
  services: Pick<DeployServices, "run" | "env">,
  stop: AbortSignal = new AbortController().signal,
): Promise<RemoteTip> {
  const { cloneUrl, ref } = repositoryOf(target);
  const damaged = describeDamagedKey(target);
  if (damaged !== null) return { kind: "unreachable", isTimeout: false, reason: `failed: ${damaged}` };
  const pattern = ref.kind === "branch" ? `refs/heads/${ref.name}` : "refs/tags/*";
  const lines: string[] = [];
  const onLine = (line: string) => lines.push(line);
  const signal = AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT)]);
  const args = ["ls-remote", "--sort=-version:refname", "--", cloneUrl, pattern];
  const outcome = await runInPrivate(target, args, services, { onLine, signal });
  if (signal.aborted) {
    return { kind: "unreachable", isTimeout: true, reason: `timed out after ${formatDuration(TIMEOUT)}` };
  }
  if (outcome.kind === "failed") return { kind: "unreachable", isTimeout: false, reason: outcome.reason };
  const refs = new Map(lines.flatMap(readRef));
  // The newest version comes first. An annotated tag's commit is at `<tag>^{}`.
  const newest = [...refs.keys()].find((name) => isWatched(name, ref));
  const commit = newest === undefined ? undefined : (refs.get(`${newest}^{}`) ?? refs.get(newest));
  return commit === undefined ? { kind: "absent" } : { kind: "found", commit };
}

/** Runs git in a new directory that only this user can read or write, and removes it. */
async function runInPrivate(
  target: Target,
  args: readonly string[],
  { run, env: serverEnv }: Pick<DeployServices, "run" | "env">,
  io: ProcessIo,
): Promise<GitOutcome> {
  const clean = cleanEnvironment(target, serverEnv);
  const env = { ...clean, ...credentialEnvironment(target, clean) };
  const path = await mkdtemp(join(await realpath(tmpdir()), "hooklatch-git-"));
  try {
    return await createGit({ kind: "none", path }, { run, env }).attempt(args, io);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

/** A line has an object name, a tab and a ref. Git's warnings are on the same stream. */
function readRef(line: string): readonly [name: string, commit: string][] {
  const [commit = "", name] = line.split("\t");
  return name !== undefined && isObjectName(commit) ? [[name, commit]] : [];
}

function isWatched(name: string, watched: WatchedRef): boolean {
  if (watched.kind === "branch") return name === `refs/heads/${watched.name}`;
  const tag = name.slice("refs/tags/".length);
  return name.startsWith("refs/tags/") && !tag.endsWith("^{}") && isWatchedTag(tag, watched);
}
