import type { Deployment } from "./deployment.ts";

/**
 * Names a release `<UTC time>-<12 hex of the commit>`, such as `20261121T203000Z-0123456789ab`. A name always sorts after
 * those in `taken`: a second release within the same second, or after the clock was wrong, gets the second that follows
 * the latest.
 */
export function nameRelease(commit: string, now: Date, taken: Iterable<string>): string {
  const times = [...taken].map(timeOf).filter((time) => time !== null);
  const time = new Date(Math.max(now.getTime(), ...times.map((taken) => taken + 1000)));
  return `${time.toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z-${commit.slice(0, 12)}`;
}

/** Whether a directory entry has the name of a release. Cleanup never removes anything else in `releases/`. */
export function isReleaseName(name: string): boolean {
  return timeOf(name) !== null;
}

/** Whether the name is that of a release of the commit. */
export function isReleaseOf(name: string, commit: string): boolean {
  return isReleaseName(name) && name.endsWith(`-${commit.slice(0, 12)}`);
}

/** When the release was created, in Unix milliseconds; null for another name. */
function timeOf(name: string): number | null {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{12}$/.exec(name) ?? [];
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? null : time;
}

export type FoundRelease =
  | { readonly kind: "found"; readonly release: string }
  | { readonly kind: "absent"; readonly reason: string };

/** The releases from which a rollback chooses. */
export interface Releases {
  /** The names of the complete releases on disk. */
  readonly complete: readonly string[];
  readonly live: string | null;
  readonly history: ReleaseHistory;
}

/** The past of a target's commits and releases, from its successful deployments. */
export interface ReleaseHistory {
  /** The commits that a rollback replaced and that no deployment made live again. */
  readonly rolledBackCommits: readonly string[];
  /** The releases that were live one after the other, oldest first, without those that were rolled back. */
  readonly liveReleases: readonly string[];
  /** The releases that were rolled back. */
  readonly abandonedReleases: readonly string[];
}

/** The history of a target that was never deployed. */
export const NO_HISTORY: ReleaseHistory = { rolledBackCommits: [], liveReleases: [], abandonedReleases: [] };

/**
 * Finds the release of the name, or with null the one that was live before the live one, skipping those that were rolled
 * back. Where the history has none it is the newest older one.
 */
export function findRelease(name: string | null, { complete, live, history }: Releases): FoundRelease {
  const newestFirst = complete.toSorted().reverse();
  if (name !== null) {
    if (complete.includes(name)) return { kind: "found", release: name };
    return { kind: "absent", reason: `there is no release ${name}; ${describeReleases(newestFirst)}` };
  }
  if (live === null) {
    return {
      kind: "absent",
      reason: `no release is live to roll back from; ${describeReleases(newestFirst)}`,
    };
  }
  const { liveReleases, abandonedReleases } = history;
  const before = liveReleases.includes(live)
    ? liveReleases.slice(0, liveReleases.lastIndexOf(live))
    : liveReleases;
  const older = newestFirst.filter((each) => each < live);
  const release =
    before.findLast((each) => each !== live && complete.includes(each)) ??
    older.find((each) => !abandonedReleases.includes(each)) ??
    older[0];
  if (release === undefined) return { kind: "absent", reason: `there is no release before ${live}` };
  return { kind: "found", release };
}

/** How many releases a reason names. */
const MAX_NAMED = 10;

function describeReleases(newestFirst: readonly string[]): string {
  if (newestFirst.length === 0) return "the target has no releases";
  const named = newestFirst.slice(0, MAX_NAMED).join(", ");
  const others = newestFirst.length - MAX_NAMED;
  return `the releases are ${named}${others > 0 ? ` and ${others} more` : ""}`;
}

/** The parts of a successful deployment that its target's history depends on. */
type Succeeded = Pick<Deployment, "trigger" | "commit" | "previousCommit" | "release">;

/** Traces a target's history through its successful deployments, newest first. */
export function traceReleaseHistory(succeeded: readonly Succeeded[]): ReleaseHistory {
  return { rolledBackCommits: findRolledBack(succeeded), ...traceReleases(succeeded.toReversed()) };
}

function findRolledBack(newestFirst: readonly Succeeded[]): readonly string[] {
  const wentLiveAgain = new Set<string>();
  const rolledBack: string[] = [];
  for (const { trigger, commit, previousCommit } of newestFirst) {
    // Comes first: a rollback to another release of the same commit did not roll the commit back.
    if (commit !== null) wentLiveAgain.add(commit);
    const from = trigger === "rollback" ? previousCommit : null;
    if (from !== null && !wentLiveAgain.has(from)) rolledBack.push(from);
  }
  return rolledBack;
}

/** A rollback abandons everything that went live after its release. */
function traceReleases(
  oldestFirst: readonly Succeeded[],
): Pick<ReleaseHistory, "liveReleases" | "abandonedReleases"> {
  let liveReleases: string[] = [];
  const seen = new Set<string>();
  for (const { trigger, release } of oldestFirst) {
    if (release === null) continue;
    seen.add(release);
    const at = trigger === "rollback" ? liveReleases.lastIndexOf(release) : -1;
    liveReleases = at === -1 ? [...liveReleases, release] : liveReleases.slice(0, at + 1);
  }
  return { liveReleases, abandonedReleases: [...seen].filter((each) => !liveReleases.includes(each)) };
}
