import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import type { ProcessIo, ProcessResult, RunProcess } from "../../domain/layout.ts";
import { describeCommand } from "../../domain/target.ts";
import { AppError } from "../../lib/errors.ts";
import { toOneLine } from "../../lib/text.ts";
import { describeGitError } from "./errors.ts";
import type { FailedCall } from "./host-key.ts";

/** Settings that hold for every call, whatever the account's own configuration says. */
const SETTINGS = {
  // Hooks come from templates and other people's habits; what runs is what the target names.
  "core.hooksPath": "/dev/null",
  // `ext::` URLs are command lines (git-remote-ext(1)).
  "protocol.ext.allow": "never",
  "submodule.recurse": "false",
  "advice.detachedHead": "false",
  // What is fetched stays a pack, and packs and refs are flushed to disk: a power failure leaves no empty file.
  "fetch.unpackLimit": "1",
  "core.fsync": "reference",
  // `git gc --auto` is called where nothing waits for it, and must not outlive the deployment.
  "gc.autoDetach": "false",
  // `v1.0-rc1` is older than `v1.0` (git-tag(1), "versionsort.suffix").
  "versionsort.suffix": "-",
  // Files in Git LFS are checked out as pointers, even where the account has it set up; `lfs.ts` fills them in.
  "filter.lfs.smudge": "",
  "filter.lfs.clean": "",
  "filter.lfs.process": "",
  "filter.lfs.required": "false",
} as const;

/** So that nothing ever asks: an unanswered question would hold the deployment until its time is over. */
const UNASKING = {
  GIT_ASKPASS: "false",
  // There is no terminal either: every process has a session of its own.
  SSH_ASKPASS_REQUIRE: "never",
} as const;

const FORCED = { GIT_TERMINAL_PROMPT: "0", LC_ALL: "C" } as const;

/** How many of git's last lines are looked through for why it failed. */
const REMEMBERED_LINES = 40;

/** Where what nobody needs to read goes, for work that must not be cut short. */
export const SILENT_IO: ProcessIo = { onLine: () => {}, signal: new AbortController().signal };

/** The same for work that may be cut short. */
export function withoutOutput({ signal }: Pick<ProcessIo, "signal">): ProcessIo {
  return { ...SILENT_IO, signal };
}

/** How git is run, and in which environment. */
export interface GitTools {
  readonly run: RunProcess;
  readonly env: Readonly<Record<string, string>>;
}

/** Settings of git's for one call. They stand in the argument list, where no secret may be. */
export type GitSettings = Readonly<Record<string, string>>;

/** The `git` program in one directory. Arguments are lists; no shell reads them. */
export interface Git {
  /** Runs a command that people can follow in `io`. Rejects with a {@link AppError} that says why it failed. */
  act(args: readonly string[], io: ProcessIo, settings?: GitSettings): Promise<void>;
  /** As `act`, but resolves with why it failed, or null. */
  attempt(args: readonly string[], io: ProcessIo, settings?: GitSettings): Promise<string | null>;
  /** The lines that a command prints; null when it fails, which for many is how they say no. */
  ask(args: readonly string[], signal?: AbortSignal): Promise<readonly string[] | null>;
  /** The commit that a revision means, peeled from tags; null when there is none. */
  findCommit(revision: string, signal?: AbortSignal): Promise<string | null>;
}

/**
 * Opens git for calls in `directory`. `location` are the variables that tell git which repository it is
 * (git(1), "The Git Repository"), so that it never goes looking for one further up.
 */
export function createGit(
  directory: string,
  location: Readonly<Record<string, string>>,
  tools: GitTools,
): Git {
  const env = { ...UNASKING, ...tools.env, ...FORCED, ...location };
  const git = (args: readonly string[], io: ProcessIo, own: GitSettings = {}) => {
    const settings = Object.entries({ ...SETTINGS, ...own }).flatMap(([key, value]) => [
      "-c",
      `${key}=${value}`,
    ]);
    return tools.run(["git", ...settings, ...args], { cwd: directory, env, ...io });
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
    return explain(result, last, { run: tools.run, env, cwd: directory, signal: io.signal });
  }

  async function act(args: readonly string[], io: ProcessIo, settings?: GitSettings): Promise<void> {
    const reason = await attempt(args, io, settings);
    if (reason !== null) throw new AppError("failed", `git ${args[0]} ${reason}`);
  }

  async function ask(args: readonly string[], signal = SILENT_IO.signal): Promise<readonly string[] | null> {
    const lines: string[] = [];
    const result = await git(args, { onLine: (line) => lines.push(line), signal });
    return result.exitCode === 0 ? lines : null;
  }

  async function findCommit(revision: string, signal?: AbortSignal): Promise<string | null> {
    const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`];
    // Warnings share the stream with the answer.
    return (await ask(args, signal))?.find(isObjectName) ?? null;
  }

  return { act, attempt, ask, findCommit };
}

/** Whether the text is a full object name, SHA-1 or SHA-256. */
export function isObjectName(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/** The text without what stands before the `@` of an HTTP address: it may be a token. */
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
  return `failed: ${toOneLine(refusal ?? (tellingLine(lines) || `exit code ${exitCode}`))}`;
}

/** What git adds when a git that it called has said already why it failed. */
const CONSEQUENCE =
  /^fatal: (?:clone of '.*' into submodule path '.*' failed|Failed to recurse into submodule path)/;

/**
 * The line that says what went wrong: the last `fatal:` or `error:`, since advice may follow it. Where that only
 * says that the other end could not be read, the line before it knows why ("Permission denied (publickey).").
 */
function tellingLine(lines: readonly string[]): string {
  const said = lines.filter((line) => line.trim() !== "" && !CONSEQUENCE.test(line));
  const at = said.findLastIndex((line) => /^(?:fatal|error): /.test(line));
  const unreadable = said[at]?.startsWith("fatal: Could not read from remote repository") ?? false;
  const line = said[unreadable && at > 0 ? at - 1 : at] ?? said.at(-1) ?? "";
  return line.replace(/^(?:fatal|error): /, "");
}

/** Opens git in a working tree. One that is broken must not make git take a repository around it for its own. */
export async function createCheckoutGit(directory: string, tools: GitTools): Promise<Git> {
  const real = await realpath(directory);
  return createGit(real, { GIT_CEILING_DIRECTORIES: dirname(real) }, tools);
}
