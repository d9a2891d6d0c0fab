import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import type { FailureCode } from "../../domain/codes.ts";
import { DeploymentError } from "../../domain/deployment-error.ts";
import type { LayoutContext, ProcessIo, ProcessResult } from "../../domain/layout.ts";
import { describeCommand } from "../../domain/target.ts";
import { toOneLine } from "../../lib/text.ts";
import { describeGitError } from "./errors.ts";
import type { FailedCall } from "./host-key.ts";

/** Settings for every call. They override the account's own configuration. */
const SETTINGS = {
  // Only the target's commands run, no hooks from templates.
  "core.hooksPath": "/dev/null",
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
  // Files in Git LFS are checked out as pointers, even where the account has it set up; `lfs.ts` replaces them.
  "filter.lfs.smudge": "",
  "filter.lfs.clean": "",
  "filter.lfs.process": "",
  "filter.lfs.required": "false",
} as const;

/** Makes every program fail instead of asking: an unanswered question would block the deployment until its time-out. */
const NON_INTERACTIVE = {
  GIT_ASKPASS: "false",
  // There is no terminal either: every process has its own session.
  SSH_ASKPASS_REQUIRE: "never",
} as const;

const FORCED = { GIT_TERMINAL_PROMPT: "0", LC_ALL: "C" } as const;

/** How many of git's last lines are searched for the reason of a failure. */
const REMEMBERED_LINES = 40;

/** Discards the output of work that must not be cut short. */
export const SILENT_IO: ProcessIo = { onLine: () => {}, signal: new AbortController().signal };

/** Discards the output of work that may be cut short. */
export function withoutOutput({ signal }: Pick<ProcessIo, "signal">): ProcessIo {
  return { ...SILENT_IO, signal };
}

/** How git is run, and in which environment. */
type GitContext = Pick<LayoutContext, "run" | "env">;

/** The code of a deployment that ends because a git command failed. */
const FAILURES: Readonly<Record<string, FailureCode>> = {
  fetch: "fetch_failed",
  worktree: "checkout_failed",
  checkout: "checkout_failed",
  clean: "checkout_failed",
  switch: "checkout_failed",
  submodule: "checkout_failed",
  lfs: "checkout_failed",
};

/** git settings for one call. They are in the argument list, which other users can read: never a secret. */
export type GitSettings = Readonly<Record<string, string>>;

/** The `git` program in one directory. Arguments are lists that no shell parses. */
export interface Git {
  /** Runs a command with its output in `io`. Rejects with a {@link DeploymentError} that says why it failed. */
  act(args: readonly string[], io: ProcessIo, settings?: GitSettings): Promise<void>;
  /** As `act`, but resolves with why it failed, or null. */
  attempt(args: readonly string[], io: ProcessIo, settings?: GitSettings): Promise<string | null>;
  /** The lines that a command prints; null when it fails, which for many commands means no. */
  ask(args: readonly string[], signal?: AbortSignal): Promise<readonly string[] | null>;
  /** The commit of a revision, peeled from tags; null when there is none. */
  findCommit(revision: string, signal?: AbortSignal): Promise<string | null>;
}

/**
 * Creates git for calls in `directory`. `location` are the variables that name its repository (git(1), "The Git
 * Repository"), so that git never searches for one further up.
 */
export function createGit(
  directory: string,
  location: Readonly<Record<string, string>>,
  context: GitContext,
): Git {
  const env = { ...NON_INTERACTIVE, ...context.env, ...FORCED, ...location };
  const git = (args: readonly string[], io: ProcessIo, own: GitSettings = {}) => {
    const settings = Object.entries({ ...SETTINGS, ...own }).flatMap(([key, value]) => [
      "-c",
      `${key}=${value}`,
    ]);
    return context.run(["git", ...settings, ...args], { cwd: directory, env, ...io });
  };

  async function attempt(
    args: readonly string[],
    io: ProcessIo,
    settings?: GitSettings,
  ): Promise<string | null> {
    const last: string[] = [];
    const onLine = (line: string) => {
      const safe = hideCredentials(line);
      io.onLine(safe);
      last.push(safe);
      if (last.length > REMEMBERED_LINES) last.shift();
    };
    io.onLine(`$ ${hideCredentials(describeCommand(["git", ...args]))}`);
    const result = await git(args, { ...io, onLine }, settings);
    return explain(result, last, { run: context.run, env, cwd: directory, signal: io.signal });
  }

  async function act(args: readonly string[], io: ProcessIo, settings?: GitSettings): Promise<void> {
    const reason = await attempt(args, io, settings);
    const command = args[0] ?? "";
    if (reason !== null)
      throw new DeploymentError(FAILURES[command] ?? "git_failed", `git ${command} ${reason}`);
  }

  async function ask(args: readonly string[], signal = SILENT_IO.signal): Promise<readonly string[] | null> {
    const lines: string[] = [];
    const result = await git(args, { onLine: (line) => lines.push(line), signal });
    return result.exitCode === 0 ? lines : null;
  }

  async function findCommit(revision: string, signal?: AbortSignal): Promise<string | null> {
    const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`];
    // Warnings are on the same stream as the answer.
    return (await ask(args, signal))?.find(isObjectName) ?? null;
  }

  return { act, attempt, ask, findCommit };
}

/** Whether the text is a full object name, SHA-1 or SHA-256. */
export function isObjectName(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/** Removes the credentials before the `@` of HTTP addresses: they may be a token. */
export function hideCredentials(text: string): string {
  return text.replace(/(\bhttps?:\/\/)[^\s/@]+@/gi, "$1");
}

async function explain(
  { exitCode, signal }: ProcessResult,
  lines: readonly string[],
  call: FailedCall,
): Promise<string | null> {
  if (signal !== null) return `was ended by ${signal}`;
  if (exitCode === 0) return null;
  if (exitCode === 127) return "failed: there is no git program in PATH";
  const refusal = call.signal.aborted ? null : await describeGitError(lines, call);
  return `failed: ${toOneLine(refusal ?? (findReason(lines) || `exit code ${exitCode}`))}`;
}

/** What git adds after another git that it called has printed the reason. */
const CONSEQUENCE =
  /^fatal: (?:clone of '.*' into submodule path '.*' failed|Failed to recurse into submodule path)/;

/**
 * The line that says what went wrong: the last `fatal:` or `error:`, since advice may follow it. Where that only says that
 * the remote could not be read, the line before it says why ("Permission denied (publickey).").
 */
function findReason(lines: readonly string[]): string {
  const said = lines.filter((line) => line.trim() !== "" && !CONSEQUENCE.test(line));
  const at = said.findLastIndex((line) => /^(?:fatal|error): /.test(line));
  const unreadable = said[at]?.startsWith("fatal: Could not read from remote repository") ?? false;
  const line = said[unreadable && at > 0 ? at - 1 : at] ?? said.at(-1) ?? "";
  return line.replace(/^(?:fatal|error): /, "");
}

/** Creates git for a working tree. In a broken one, git must not use a repository in a directory above it. */
export async function createCheckoutGit(directory: string, context: GitContext): Promise<Git> {
  const real = await realpath(directory);
  return createGit(real, { GIT_CEILING_DIRECTORIES: dirname(real) }, context);
}
