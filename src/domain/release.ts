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
  /** Commits that people went back from, see {@link findTakenBack}. */
  readonly takenBack: readonly string[];
}

/**
 * Finds the release to go back to: that of the name, or with null the newest that is older than the live one and was
 * not taken back itself; where all of those were, the newest of them.
 */
export function findRelease(name: string | null, { complete, live, takenBack }: Releases): FoundRelease {
  const newestFirst = complete.toSorted().reverse();
  if (name !== null) {
    if (complete.includes(name)) return { kind: "found", release: name };
    return { kind: "absent", reason: `there is no release ${name}; ${describeReleases(newestFirst)}` };
  }
  if (live === null) {
    return { kind: "absent", reason: `nothing is live to go back from; ${describeReleases(newestFirst)}` };
  }
  const older = newestFirst.filter((each) => each < live);
  const release = older.find((each) => !takenBack.some((commit) => isReleaseOf(each, commit))) ?? older[0];
  if (release === undefined) return { kind: "absent", reason: `there is no release before ${live}` };
  return { kind: "found", release };
}

/** The commits that a rollback took down and that nothing made live again since. */
export function findTakenBack(
  succeededNewestFirst: readonly Pick<Deployment, "trigger" | "commit" | "previousCommit">[],
): readonly string[] {
  const madeLiveAgain = new Set<string>();
  const takenBack: string[] = [];
  for (const { trigger, commit, previousCommit } of succeededNewestFirst) {
    const from = trigger === "rollback" ? previousCommit : null;
    if (from !== null && !madeLiveAgain.has(from)) takenBack.push(from);
    if (commit !== null) madeLiveAgain.add(commit);
  }
  return takenBack;
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
