import type { CiResult } from "../domain/ci.ts";
import type { CiEvent } from "../domain/event.ts";

/** The columns of a delivery's result of CI; both null where it reports none. */
export type CiRow = { ci_commit: string | null; ci: string | null };

/** Converts a result to its columns. */
export function toCiRow(event: CiEvent | null): CiRow {
  if (event === null) return { ci_commit: null, ci: null };
  const { commit, repository, refs, workflows, outcome, cause, run } = event;
  const result: CiResult = { repository, refs, workflows, outcome, cause, run };
  return { ci_commit: commit, ci: JSON.stringify(result) };
}
