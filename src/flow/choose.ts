import type { Choice } from "../domain/deployment.ts";
import { findRelease, NO_HISTORY } from "../domain/release.ts";
import type { Target } from "../domain/target.ts";

/** What a person chose to deploy, or why it is not to be had and what to do. */
export type Chosen =
  | { readonly ok: true; readonly choice: Choice }
  | { readonly ok: false; readonly reason: string };

/** A commit by its name: 7 to 64 hex digits, in any case. */
export function chooseCommit(target: Target, commit: string): Chosen {
  if (target.watch === null) {
    return refuse(`target ${target.name} has no repository: deploy it without a commit`);
  }
  if (!/^[0-9a-f]{7,64}$/i.test(commit)) return refuse("a commit is named by 7 to 64 hex digits");
  return { ok: true, choice: { kind: "commit", commit: commit.toLowerCase() } };
}

/** What is there to go back to. */
export interface OnDisk {
  /** The names of the complete releases; null where the layout keeps none. */
  readonly complete: readonly string[] | null;
  readonly live: string | null;
}

/** A release by its name; null for the one before the live one, which is looked for again when its turn comes. */
export function chooseRelease(
  { name, watch, layout }: Target,
  release: string | null,
  { complete, live }: OnDisk,
): Chosen {
  if (watch === null) return refuse(`target ${name} has no repository, and so nothing to go back to`);
  if (complete === null) {
    const instead = `hooklatch target deploy ${name} --commit COMMIT`;
    return refuse(`layout ${layout} keeps no releases: choose a commit with \`${instead}\``);
  }
  const found = findRelease(release, { complete, live, history: NO_HISTORY });
  return found.kind === "absent" ? refuse(found.reason) : { ok: true, choice: { kind: "release", release } };
}

function refuse(reason: string): Chosen {
  return { ok: false, reason };
}
