/** What is deployed: a repository and branch to a directory, and the commands that build it. */
export interface Target {
  readonly name: string;
  /** The name of the source whose deliveries it listens to. */
  readonly source: string;
  /** What it watches; null for a target without a git step, which every delivery of its source runs. */
  readonly watch: Watch | null;
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
  readonly health: Health | null;
  /** Whether a branch that moved while nobody listened is deployed at the start. */
  readonly catchUp: boolean;
}

/** The repository and the branch, or tags, that a target follows. */
export interface Watch {
  /** `owner/name`, compared without regard to case. */
  readonly repository: string;
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
export interface Health {
  readonly url: string;
  /** Milliseconds until it must have answered 2xx. */
  readonly within: number;
}

/** The command as people read it in logs and tables. */
export function describeCommand(command: Command): string {
  return typeof command === "string" ? command : command.map(quoteWord).join(" ");
}

function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
