import { tmpdir } from "node:os";
import type { RunProcess } from "../../domain/layout.ts";
import { tagMatches } from "../../domain/match.ts";
import type { RemoteTip, Target, WatchedRef } from "../../domain/target.ts";
import { cleanEnvironment } from "../process/environment.ts";
import { credentialEnvironment } from "./credentials.ts";
import { repositoryOf } from "./fetch.ts";
import { createGit, isObjectName } from "./git.ts";

/** Milliseconds that the remote may take. */
const TIMEOUT = 30_000;

/** Asks the target's clone URL for the branch's tip, or the newest matching tag (git-ls-remote(1)). */
export async function readRemoteTip(
  target: Target,
  ours: { readonly run: RunProcess; readonly env: Readonly<Record<string, string | undefined>> },
  stop: AbortSignal = new AbortController().signal,
): Promise<RemoteTip> {
  const { cloneUrl, ref } = repositoryOf(target);
  const clean = cleanEnvironment(target, ours.env);
  const env = { ...clean, ...credentialEnvironment(target, clean) };
  const git = createGit(tmpdir(), {}, { run: ours.run, env });
  const pattern = ref.kind === "branch" ? `refs/heads/${ref.name}` : "refs/tags/*";
  const lines: string[] = [];
  const io = {
    onLine: (line: string) => lines.push(line),
    signal: AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT)]),
  };
  const reason = await git.attempt(["ls-remote", "--sort=-version:refname", "--", cloneUrl, pattern], io);
  if (io.signal.aborted) {
    return { kind: "unreachable", isTimeout: true, reason: `gave no answer within ${TIMEOUT / 1_000} s` };
  }
  if (reason !== null) return { kind: "unreachable", isTimeout: false, reason };
  const commit = newestMatch(lines.flatMap(readLine), ref);
  return commit === null ? { kind: "absent" } : { kind: "found", commit };
}

interface RemoteRef {
  readonly commit: string;
  readonly name: string;
}

/** A line has an object name, a tab and a ref. Git's warnings are on the same stream. */
function readLine(line: string): readonly RemoteRef[] {
  const [commit = "", name] = line.split("\t");
  return name !== undefined && isObjectName(commit) ? [{ commit, name }] : [];
}

/** The first matching ref, since the newest version comes first. An annotated tag's commit is at `<tag>^{}`. */
function newestMatch(refs: readonly RemoteRef[], watched: WatchedRef): string | null {
  const found = refs.find(({ name }) => isWatched(name, watched));
  const peeled = refs.find(({ name }) => name === `${found?.name}^{}`);
  return (peeled ?? found)?.commit ?? null;
}

function isWatched(name: string, watched: WatchedRef): boolean {
  if (watched.kind === "branch") return name === `refs/heads/${watched.name}`;
  const tag = name.slice("refs/tags/".length);
  return name.startsWith("refs/tags/") && !tag.endsWith("^{}") && tagMatches(tag, watched.pattern);
}
