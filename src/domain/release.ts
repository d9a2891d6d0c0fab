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
