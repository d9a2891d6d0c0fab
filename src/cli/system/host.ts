import { runTool } from "../../doctor/machine.ts";

/** The machine that `init --system` sets up. */
export interface Host {
  /** A directory before every path, so that a test sets up a temporary one; empty for the machine itself. */
  readonly root: string;
  /** Whether this process may write everywhere. */
  readonly isSuperuser: boolean;
  /** The owner of what belongs to root. */
  readonly superuser: Ids;
  /** Runs a program of the system. The exit code is 127 when it is not installed. */
  readonly run: (
    argv: readonly string[],
  ) => Promise<{ readonly exitCode: number | null; readonly lines: readonly string[] }>;
}

/** A user and a group by their numbers. */
export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/** `su` keeps the PATH of a user, which lacks the directories of useradd. */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** This machine. */
export const thisHost: Host = {
  root: "",
  isSuperuser: process.getuid?.() === 0,
  superuser: { uid: 0, gid: 0 },
  run: (argv) => runTool(argv, PATH),
};
