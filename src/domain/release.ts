/**
 * Names a release `<UTC time>-<12 hex of the commit>`, such as `20261121T203000Z-0123456789ab`: names sort as
 * the releases were made. `taken` are the names there are; a name never sorts before or equals one of them,
 * so a second release within the same second is named for the next free one.
 */
export function nameRelease(commit: string, now: Date, taken: Iterable<string>): string {
  const latest = [...taken].sort().at(-1)?.slice(0, stamp(now).length) ?? "";
  let time = now.getTime();
  while (stamp(new Date(time)) <= latest) time += 1000;
  return `${stamp(new Date(time))}-${commit.slice(0, 12)}`;
}

/** Whether a directory entry is named as a release is: anything else in `releases/` is not ours to remove. */
export function isReleaseName(name: string): boolean {
  return /^\d{8}T\d{6}Z-[0-9a-f]{12}$/.test(name);
}

function stamp(time: Date): string {
  return `${time.toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
}
