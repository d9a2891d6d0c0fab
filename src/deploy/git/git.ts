import { dirname, join } from "node:path";
import type { FailureCode } from "../../domain/codes.ts";
import type { LayoutContext, ProcessIo, ProcessResult } from "../../domain/layout.ts";
import { describeCommand } from "../../domain/target.ts";
import { realpath } from "../../lib/files.ts";
import { toOneLine } from "../../lib/text.ts";
import { DeploymentError } from "../failure.ts";
import { createErrorMemory, findCause, isDiskFull } from "./cause.ts";
import { describeGitError, type FailedCall } from "./errors.ts";
import { removeLeftovers } from "./leftovers.ts";

/** Settings for every call. They override the account's own configuration. */
const SETTINGS = {
  // Only the target's commands run, no hooks from templates.
  "core.hooksPath": "/dev/null",
  // A directory that merely looks like a repository could name commands in its configuration (git-config(1)).
  "safe.bareRepository": "explicit",
  // `ext::` URLs run commands (git-remote-ext(1)).
  "protocol.ext.allow": "never",
  "submodule.recurse": "false",
  "advice.detachedHead": "false",
  // Fetched objects stay in a pack, and packs and refs are flushed to disk: a power failure leaves no empty file.
  "fetch.unpackLimit": "1",
  "core.fsync": "reference",
  // `git gc --auto` must not outlive the deployment that calls it.
  "gc.autoDetach": "false",
  // `v1.0-rc1` is older than `v1.0` (git-tag(1), "versionsort.suffix").
  "versionsort.suffix": "-",
  // Files in Git LFS are checked out as pointers, also for an account with the filter; `checkout.ts` replaces them.
  "filter.lfs.smudge": "",
  "filter.lfs.clean": "",
  "filter.lfs.process": "",
  "filter.lfs.required": "false",
} as const;

/** Makes every program fail instead of asking: an unanswered question would block until the deployment's timeout. */
const NON_INTERACTIVE = {
  GIT_ASKPASS: "false",
  // There is no terminal either: every process has its own session.
  SSH_ASKPASS_REQUIRE: "never",
} as const;

/** Repositories that are created keep their refs in files, which `repair.ts` and `release-repository.ts` rely on. */
const FORCED = { GIT_TERMINAL_PROMPT: "0", LC_ALL: "C", GIT_DEFAULT_REF_FORMAT: "files" } as const;

/** Discards the output of work that must not be interrupted. */
export const SILENT_IO: ProcessIo = { onLine: () => {}, signal: new AbortController().signal };

/** Discards the output of work that `signal` may interrupt. */
export function withoutOutput({ signal }: Pick<ProcessIo, "signal">): ProcessIo {
  return { ...SILENT_IO, signal };
}

type GitContext = Pick<LayoutContext, "run" | "env">;

/** The code of a deployment that a failed git command ends. */
const FAILURES: Readonly<Record<string, FailureCode>> = {
  fetch: "fetch_failed",
  checkout: "checkout_failed",
  clean: "checkout_failed",
  switch: "checkout_failed",
  submodule: "checkout_failed",
  lfs: "checkout_failed",
};

/** git settings for one call. They are in the argument list, which other users can read: never a secret. */
export type GitSettings = Readonly<Record<string, string>>;

/** A commit as its author wrote it. */
export interface Commit {
  /** The full object name. */
  readonly name: string;
  readonly message: string;
  readonly subject: string;
  /** The author's name. */
  readonly author: string;
}

/** The object name, the subject, the author's name and the message, separated by NUL, which none of them contains. */
const COMMIT_FORMAT = "--format=%H%x00%s%x00%an%x00%B";

/** How a command ended. The reason completes "git <command> …". */
export type GitOutcome =
  | { readonly kind: "succeeded" }
  /** The code is null where the cause has none of its own: then the command that failed chooses it. */
  | { readonly kind: "failed"; readonly code: FailureCode | null; readonly reason: string };

/** The `git` program in one directory. Arguments are lists that no shell parses. */
export interface Git {
  /** Runs a command with its output in `io`. Rejects with a {@link DeploymentError} when it fails. */
  run(args: readonly string[], io: ProcessIo, settings?: GitSettings): Promise<void>;
  /** As `run`, but returns the failure. Either leaves no lock and no partial pack behind. */
  attempt(args: readonly string[], io: ProcessIo, settings?: GitSettings): Promise<GitOutcome>;
  /** The lines that a command prints; null when it fails, by which many commands answer no. */
  read(args: readonly string[], signal?: AbortSignal): Promise<readonly string[] | null>;
  /** The commit of a revision, peeled from tags; null when there is none. */
  findCommit(revision: string, signal?: AbortSignal): Promise<string | null>;
  /** Reads the commit of a revision, peeled from tags; null when there is none. */
  readCommit(revision: string, signal?: AbortSignal): Promise<Commit | null>;
  /** The same git for a checkout in a directory below, such as a submodule. */
  inside(directory: string): Promise<Git>;
}

/**
 * Where git runs, and which repository it uses. Paths are absolute. Git never searches the directories above for a
 * repository: another user who can write there could plant one whose configuration runs commands.
 */
export type GitLocation =
  /** A repository by its own directory. `from` is where git runs. */
  | { readonly kind: "repository"; readonly path: string; readonly from: string }
  /** A working tree with its `.git`. */
  | { readonly kind: "checkout"; readonly path: string }
  /** No repository. The directory is empty, and only this user can write to it. */
  | { readonly kind: "none"; readonly path: string };

/** The variables that name the repository (git(1), "The Git Repository"), and where git runs. */
function locate(location: GitLocation): { readonly cwd: string; readonly variables: GitSettings } {
  const { kind, path } = location;
  const ceiling = { GIT_CEILING_DIRECTORIES: dirname(path) };
  switch (kind) {
    case "repository":
      return { cwd: location.from, variables: { ...ceiling, GIT_DIR: path } };
    case "checkout":
      return { cwd: path, variables: ceiling };
    case "none":
      return { cwd: path, variables: { ...ceiling, GIT_DIR: join(path, "none") } };
  }
}

function gitDirectoryOf({ kind, path }: GitLocation): string {
  return kind === "checkout" ? join(path, ".git") : path;
}

/** Creates git for calls at one location. */
export function createGit(location: GitLocation, context: GitContext): Git {
  const { cwd, variables } = locate(location);
  const env = { ...NON_INTERACTIVE, ...context.env, ...FORCED, ...variables };
  const call = (args: readonly string[], io: ProcessIo, settings: GitSettings = {}) => {
    const all = Object.entries({ ...SETTINGS, ...settings });
    const options = all.flatMap(([key, value]) => ["-c", `${key}=${value}`]);
    return context.run(["git", ...options, ...args], { cwd, env, ...io });
  };
  const git: Git = {
    async attempt(args, io, settings) {
      const output = createErrorMemory();
      const onLine = (line: string) => {
        const safe = hideCredentials(line);
        io.onLine(safe);
        output.add(safe);
      };
      io.onLine(`$ ${hideCredentials(describeCommand(["git", ...args]))}`);
      const result = await call(args, { ...io, onLine }, settings);
      if (result.exitCode === 0) return { kind: "succeeded" };
      const isFull = await isDiskFull(cwd);
      // First, so that the disk has room again and the next command finds no lock.
      if (location.kind !== "none") await removeLeftovers(gitDirectoryOf(location));
      return describeEnd(result, output.lines(), { run: context.run, env, cwd, signal: io.signal, isFull });
    },
    async run(args, io, settings) {
      const [command = ""] = args;
      const outcome = await git.attempt(args, io, settings);
      if (outcome.kind === "succeeded") return;
      throw new DeploymentError(
        outcome.code ?? FAILURES[command] ?? "git_failed",
        `git ${command} ${outcome.reason}`,
      );
    },
    async read(args, signal = SILENT_IO.signal) {
      const lines: string[] = [];
      const { exitCode } = await call(args, { onLine: (line) => lines.push(line), signal });
      return exitCode === 0 ? lines : null;
    },
    async findCommit(revision, signal) {
      const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`];
      // Warnings are on the same stream as the answer.
      return (await git.read(args, signal))?.find(isObjectName) ?? null;
    },
    async readCommit(revision, signal) {
      const args = ["log", "-1", "--no-show-signature", "--encoding=UTF-8", COMMIT_FORMAT];
      const lines =
        (await git.read([...args, "--end-of-options", `${revision}^{commit}`, "--"], signal)) ?? [];
      // Warnings are on the same stream as the answer.
      const start = lines.findIndex((line) => /^[0-9a-f]{40,64}\0/.test(line));
      if (start < 0) return null;
      const [name = "", subject = "", author = "", message = ""] = lines.slice(start).join("\n").split("\0");
      return { name, subject, author, message };
    },
    inside: (directory) => createCheckoutGit(join(cwd, directory), context),
  };
  return git;
}

/** Creates git for a working tree. If that is damaged, git must not use a repository in a directory above it. */
export async function createCheckoutGit(directory: string, context: GitContext): Promise<Git> {
  return createGit({ kind: "checkout", path: await realpath(directory) }, context);
}

/** Whether the text is a full object name, SHA-1 or SHA-256. */
export function isObjectName(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/** The commits of the objects whose names begin with `digits`. Branches and tags of that name are ignored. */
export async function findCommitsByPrefix(
  git: Git,
  digits: string,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const objects = (await git.read(["rev-parse", `--disambiguate=${digits}`], signal)) ?? [];
  const commits = await Promise.all(objects.filter(isObjectName).map((name) => git.findCommit(name, signal)));
  return [...new Set(commits.filter((commit) => commit !== null))];
}

/** Removes the credentials before the `@` of HTTP addresses, which may be a token. */
export function hideCredentials(text: string): string {
  return text.replace(/(\bhttps?:\/\/)[^\s/@]+@/gi, "$1");
}

async function describeEnd(
  { exitCode, signal }: ProcessResult,
  lines: readonly string[],
  call: FailedCall & { readonly isFull: boolean },
): Promise<GitOutcome> {
  const fail = (reason: string, code: FailureCode | null = null) =>
    ({ kind: "failed", code, reason }) as const;
  if (signal !== null) return fail(`was terminated by ${signal}`);
  if (exitCode === 127) return fail("failed: there is no git program in PATH");
  const known = call.signal.aborted ? null : await describeGitError(lines, call);
  if (known !== null) return fail(`failed: ${toOneLine(known)}`);
  const { code, reason } = findCause(lines, call.isFull);
  return fail(`failed: ${toOneLine(reason || `exit code ${exitCode}`)}`, code);
}
