import type { Expression } from "../lib/expression.ts";
import type { Secret } from "../lib/secret.ts";
import { quoteForShell } from "../lib/text.ts";

/** A repository and branch that is deployed to a directory, with the commands that build it. */
export interface Target {
  readonly name: string;
  /** The name of the source whose deliveries it listens to. */
  readonly source: string;
  /** Null for a target without git, which every delivery of its source but a ping runs. */
  readonly repository: WatchedRepository | null;
  /**
   * The events that it deploys: names, or names with an action such as `release.published`. Null for the default: pushes
   * with a repository, every event without one.
   */
  readonly events: readonly string[] | null;
  /** The CI whose success deploys a commit in place of the push; null when pushes are deployed. */
  readonly waitForCi: WaitForCi | null;
  /** The condition on the delivery; null for none. */
  readonly when: Expression | null;
  /** Environment variables whose values come from the delivery. */
  readonly payloadEnv: Readonly<Record<string, Expression>>;
  /** Absolute path. No other target has it. */
  readonly directory: string;
  /** The name of a layout. */
  readonly layout: string;
  /** Commands, in order, before the release goes live. */
  readonly run: readonly Command[];
  /** Commands, in order, once it is live. */
  readonly after: readonly Command[];
  /** Absolute directories that precede those of PATH. */
  readonly searchPath: readonly string[];
  /** Environment variables for the commands. */
  readonly env: Readonly<Record<string, string>>;
  /** Names of the server's environment variables that the commands may see. */
  readonly passEnv: readonly string[];
  /** Relative paths that all releases share. */
  readonly shared: readonly string[];
  /** How many releases stay on disk, the live one included. */
  readonly keepReleases: number;
  /** Milliseconds for a whole deployment. */
  readonly timeout: number;
  readonly health: HealthCheck | null;
  /** Whether every accepted delivery is deployed in order, or only the newest of those that wait. */
  readonly queue: "all" | "latest";
  /** Whether catch-up deploys the branch when a push was missed. */
  readonly catchUp: boolean;
  /** Where it is deployed, with several hosts; by default on every host that configures it, at the same time. */
  readonly placement?: Placement;
  readonly access: RepositoryAccess;
  /**
   * Globs (git's pathspecs, gitglossary(7)). The target is deployed when a file that differs between the live commit and
   * the tip matches one of `paths`, or any file where that is empty, and none of `ignorePaths`.
   */
  readonly paths: readonly string[];
  readonly ignorePaths: readonly string[];
  /**
   * The absolute path of a file of allowed signers (ssh-keygen(1)), one of whom must have signed the commit; null where
   * signatures are not checked.
   */
  readonly allowedSigners: string | null;
  /** Null where commits get no status. */
  readonly commitStatus: CommitStatus | null;
}

/** Where a target is deployed. */
export interface Placement {
  /** The names of hosts, in the order of a rollout; null for every host whose configuration has the target. */
  readonly hosts: readonly string[] | null;
  /** One by one, a host begins when the one before it has succeeded. */
  readonly rollout: "together" | "one-by-one";
}

/** The placement of a target whose configuration names none. */
export const EVERYWHERE: Placement = Object.freeze({ hosts: null, rollout: "together" });

/** Whether the target is deployed on the host, whose configuration has it. */
export function isDeployedOn({ placement }: Pick<Target, "placement">, host: string): boolean {
  return placement?.hosts?.includes(host) ?? true;
}

/**
 * Whether no newer delivery takes the place of one that waits. A commit whose CI succeeded later may be older: it must not
 * take the place of a newer one.
 */
export function queuesEveryDelivery({ queue, waitForCi }: Pick<Target, "queue" | "waitForCi">): boolean {
  return queue === "all" || waitForCi !== null;
}

/** Which CI a target waits for. */
export interface WaitForCi {
  /** The name of a workflow, pipeline or status; null for all that run for a push. */
  readonly workflow: string | null;
}

/** The credentials of a private repository. Paths are absolute. */
export interface RepositoryAccess {
  /** The only private key that ssh uses; null for the user's default keys. */
  readonly sshKey: string | null;
  /** The file with the host's keys; null for ssh's default. ssh does not connect to a host that is not in it. */
  readonly knownHosts: string | null;
  /** The password or token for https; null for none. */
  readonly token: Secret | null;
}

/** How the status of a commit is set (GitHub's commit statuses). */
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
  /** How many commits of the history are fetched; null for all. */
  readonly depth: number | null;
  /** The page of a commit at the forge, up to the commit's name, where it is known. */
  readonly commitUrl?: string;
}

export type WatchedRef = { readonly kind: "branch"; readonly name: string } | WatchedTag;

/** The tags that a target follows. */
export interface WatchedTag {
  readonly kind: "tag";
  /** `*` stands for any text, such as in `v*`. */
  readonly pattern: string;
  /** Whether the pattern also matches pre-releases, such as `v2.0.0-rc.1`. */
  readonly prereleases: boolean;
}

/** A line for `/bin/sh -c`, or a list of arguments that runs without a shell. */
export type Command = string | readonly string[];

/** How a new release proves that it works. */
export interface HealthCheck {
  readonly url: string;
  /** Milliseconds until it must have responded 2xx. */
  readonly within: number;
}

/** The command as one line for logs and tables. */
export function describeCommand(command: Command): string {
  if (typeof command === "string") return command;
  return command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : quoteForShell(word))).join(" ");
}

/** The tip of what a target follows, as the remote reports it. */
export type RemoteTip =
  | { readonly kind: "found"; readonly commit: string }
  /** There is no such branch, or no matching tag. */
  | { readonly kind: "absent" }
  /** git failed or timed out. The reason completes "git ls-remote …". */
  | { readonly kind: "unreachable"; readonly isTimeout: boolean; readonly reason: string };
