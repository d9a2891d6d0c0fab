import type { Deployment } from "./deployment.ts";

/**
 * Names a release `<UTC time>-<12 hex of the commit>`, such as `20261121T203000Z-0123456789ab`: names sort as
 * the releases were made. A name always sorts after those in `taken`, so a second release within the same second,
 * or after a clock that was wrong, is named for the second that follows the latest.
 */
export function nameRelease(commit: string, now: Date, taken: Iterable<string>): string {
  const times = [...taken].map(timeOf).filter((time) => time !== null);
  const after = Math.max(now.getTime(), ...times.map((time) => time + 1000));
  return `${stamp(after)}-${commit.slice(0, 12)}`;
}

/** Whether a directory entry is named as a release is: anything else in `releases/` is not ours to remove. */
export function isReleaseName(name: string): boolean {
  return timeOf(name) !== null;
}

/** The release that a person means, or why there is none such. */
export type FoundRelease =
  | { readonly kind: "found"; readonly release: string }
  | { readonly kind: "absent"; readonly reason: string };

/** What there is to go back to. */
export interface Releases {
  /** The names of the complete releases on disk. */
  readonly complete: readonly string[];
  readonly live: string | null;
  readonly history: ReleaseHistory;
}

/** What became of a target's commits and releases, as far as its deployments that succeeded tell. */
export interface ReleaseHistory {
  /** The commits that a rollback took down and that nothing made live again since. */
  readonly rolledBackCommits: readonly string[];
  /** The releases that were live one after the other, oldest first, without those that people went back from. */
  readonly liveReleases: readonly string[];
  /** The releases that people went back from. */
  readonly abandonedReleases: readonly string[];
}

/** Of a target of which nothing is known. */
export const NO_HISTORY: ReleaseHistory = { rolledBackCommits: [], liveReleases: [], abandonedReleases: [] };

/**
 * Finds the release to go back to: that of the name, or with null the one that was live before the live one, passing
 * over those that people went back from. Where the history knows of none it is the newest that is older.
 */
export function findRelease(name: string | null, { complete, live, history }: Releases): FoundRelease {
  const newestFirst = complete.toSorted().reverse();
  if (name !== null) {
    if (complete.includes(name)) return { kind: "found", release: name };
    return { kind: "absent", reason: `there is no release ${name}; ${describeReleases(newestFirst)}` };
  }
  if (live === null) {
    return { kind: "absent", reason: `nothing is live to go back from; ${describeReleases(newestFirst)}` };
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

/** What a deployment that succeeded tells of its target's history. */
type Succeeded = Pick<Deployment, "trigger" | "commit" | "previousCommit" | "release">;

/** The history that a target's deployments tell which succeeded, newest first. */
export function traceReleaseHistory(succeeded: readonly Succeeded[]): ReleaseHistory {
  return { rolledBackCommits: findTakenBack(succeeded), ...traceReleases(succeeded.toReversed()) };
}

function findTakenBack(newestFirst: readonly Succeeded[]): readonly string[] {
  const madeLiveAgain = new Set<string>();
  const takenBack: string[] = [];
  for (const { trigger, commit, previousCommit } of newestFirst) {
    // Before: who went back to another release of the same commit did not go back from it.
    if (commit !== null) madeLiveAgain.add(commit);
    const from = trigger === "rollback" ? previousCommit : null;
    if (from !== null && !madeLiveAgain.has(from)) takenBack.push(from);
  }
  return takenBack;
}

/** A rollback takes back all that went live after the release it went back to. */
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

/** More names than this, a reason does not tell. */
const TOLD_RELEASES = 10;

function describeReleases(newestFirst: readonly string[]): string {
  if (newestFirst.length === 0) return "there are none";
  const told = newestFirst.slice(0, TOLD_RELEASES).join(", ");
  const more = newestFirst.length - TOLD_RELEASES;
  return `there are: ${told}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Whether the release of this name is of this commit. */
export function isReleaseOf(name: string, commit: string): boolean {
  return isReleaseName(name) && name.endsWith(`-${commit.slice(0, 12)}`);
}

/** When the release of this name was made, in Unix milliseconds; null when it is no release's name. */
function timeOf(name: string): number | null {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{12}$/.exec(name) ?? [];
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? null : time;
}

function stamp(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
}
