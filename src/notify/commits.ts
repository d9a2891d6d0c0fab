import type { Deployment } from "../domain/deployment.ts";

/** The commit that was asked for: pushed, or chosen by a person, perhaps in short; null where it was just the tip. */
export function commitAskedFor({ pushedCommit, choice }: Deployment): string | null {
  return pushedCommit ?? (choice?.kind === "commit" ? choice.commit : null);
}
