import type { Secret } from "../lib/secret.ts";
import { quoteForShell } from "../lib/text.ts";

/** What is deployed: a repository and branch to a directory, and the commands that build it. */
export interface Target {
  readonly name: string;
  /** The name of the source whose deliveries it listens to. */
  readonly source: string;
  /** What it watches; null for a target without a git step, which every delivery of its source runs. */
  readonly repository: WatchedRepository | null;
  /** Absolute path. No other target has it. */
  readonly directory: string;
  /** The name of a layout. */
  readonly layout: string;
  /** Commands, in order, before the release goes live. */
  readonly run: readonly Command[];
  /** Commands, in order, once it is live. */
  readonly after: readonly Command[];
  /** Environment variables for the commands. */
  readonly env: Readonly<Record<string, string>>;
  /** Names of our own environment variables that the commands may see. */
  readonly passEnv: readonly string[];
  /** Relative paths that every release shares. */
  readonly shared: readonly string[];
  /** How many releases stay on disk, the live one included. */
  readonly keepReleases: number;
  /** Milliseconds for a whole deployment. */
  readonly timeout: number;
  readonly health: HealthCheck | null;
  /** Whether a branch that moved while nobody listened is deployed at the start. */
  readonly catchUp: boolean;
  readonly access: RepositoryAccess;
  /**
   * Globs (git's pathspecs, gitglossary(7)): it is deployed when a file that differs between what is live and the tip
   * fits one of `paths`, or any file does where that is empty, and none of `ignorePaths`.
   */
  readonly paths: readonly string[];
  readonly ignorePaths: readonly string[];
  /**
   * The absolute path of a file of allowed signers (ssh-keygen(1)), one of whom must have signed the tip; null for no
   * such check.
   */
  readonly allowedSigners: string | null;
  /** Where the forge is told how each commit fared; null when it is not. */
  readonly commitStatus: CommitStatus | null;
}

/** How a private repository is reached. Paths are absolute. */
export interface RepositoryAccess {
  /** The private key that ssh shows, and no other; null for what ssh finds itself. */
  readonly sshKey: string | null;
  /** The file with the host's keys; null for ssh's own. A host that is not in it is not talked to. */
  readonly knownHosts: string | null;
  /** The password or token for https; null for none. */
  readonly token: Secret | null;
}

/** Where and as whom the forge is told how a commit fared (GitHub's commit statuses). */
export interface CommitStatus {
  readonly token: Secret;
  /** The API's base, such as `https://api.github.com`. */
  readonly apiUrl: string;
}

/** The repository and the branch, or tags, that a target follows. */
export interface WatchedRepository {
  /** `owner/name`, compared without regard to case. */
  readonly fullName: string;
  readonly ref: WatchedRef;
  /** From the configuration or the provider's own rule; never from a payload. */
  readonly cloneUrl: string;
}

export type WatchedRef =
  | { readonly kind: "branch"; readonly name: string }
  /** A shell-style pattern in which `*` stands for anything, such as `v*`. */
  | { readonly kind: "tag"; readonly pattern: string };

/** A line for `/bin/sh -c`, or an argument list that no shell sees. */
export type Command = string | readonly string[];

/** What is asked whether a new release is well. */
export interface HealthCheck {
  readonly url: string;
  /** Milliseconds until it must have answered 2xx. */
  readonly within: number;
}

/** The command as people read it in logs and tables. */
export function describeCommand(command: Command): string {
  return typeof command === "string" ? command : command.map(quoteWord).join(" ");
}

function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : quoteForShell(word);
}

/** What the other end says of what a target watches, without anything being fetched. */
export type RemoteTip =
  | { readonly kind: "found"; readonly commit: string }
  /** There is no such branch, or no tag that matches. */
  | { readonly kind: "absent" }
  /** The reason completes "git ls-remote …". */
  | { readonly kind: "unreachable"; readonly reason: string };
