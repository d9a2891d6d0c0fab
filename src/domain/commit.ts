/** A commit as people read it: its first 12 hex digits. */
export function shortenCommit(commit: string): string {
  return commit.slice(0, 12);
}
