import type { Choice, Deployment, StepResult } from "../domain/deployment.ts";

type Time = "createdAt" | "startedAt" | "endedAt";

/** A row of the table `deployment`, with times in Unix milliseconds. */
export type DeploymentRow = Omit<Deployment, Time | "choice" | "retriedAs" | "steps" | keyof HostColumns> &
  ChoiceRow & { createdAt: number; startedAt: number | null; endedAt: number | null };

/** The columns that a store with one host does not have. */
export type HostColumns = Pick<Deployment, "host" | "waitsFor">;

/** A row with the deployment that repeats it. */
export type RetriedRow = DeploymentRow & { retriedAs: number | null };

/** The columns of a {@link DeploymentRow}, also for `RETURNING`. */
export const ROW_COLUMNS = `deployment.id, target, state, code, deployment.reason, trigger, attempt,
  retry_of AS "retryOf", superseded_by AS "supersededBy", delivery, pushed_commit AS "pushedCommit", choice, chosen, branch,
  "commit", subject, author, commit_url AS "commitUrl", previous_commit AS "previousCommit", release, created_at AS "createdAt", started_at AS "startedAt",
  ended_at AS "endedAt"`;

/** The deployment that repeats a row of the table `deployment`. */
export const RETRIED_AS = "(SELECT id FROM deployment AS retry WHERE retry.retry_of = deployment.id)";

/** The columns of a {@link RetriedRow}. */
export const RETRIED_COLUMNS = `${ROW_COLUMNS}, ${RETRIED_AS} AS "retriedAs"`;

/** Reads a row and its steps. */
export function toDeployment(row: RetriedRow & HostColumns, steps: readonly StepResult[]): Deployment {
  const { choice: kind, chosen, createdAt, startedAt, endedAt, ...rest } = row;
  return {
    ...rest,
    choice: toChoice({ choice: kind, chosen }),
    createdAt: new Date(createdAt),
    startedAt: toDate(startedAt),
    endedAt: toDate(endedAt),
    steps,
  };
}

/** Reads the row of a deployment that did not run: it has no steps and no retry. */
export function toWaitingDeployment(row: DeploymentRow & HostColumns): Deployment {
  return toDeployment({ ...row, retriedAs: null }, []);
}

function toDate(time: number | null): Date | null {
  return time === null ? null : new Date(time);
}

/** The columns of a choice, both null for the tip. */
export type ChoiceRow = {
  choice: Choice["kind"] | null;
  chosen: string | null;
};

/** Converts a choice to its columns. */
export function toChoiceRow(choice: Choice | null): ChoiceRow {
  if (choice === null) return { choice: null, chosen: null };
  return { choice: choice.kind, chosen: choice.kind === "release" ? choice.release : choice.commit };
}

function toChoice({ choice, chosen }: ChoiceRow): Choice | null {
  if (choice === "release") return { kind: choice, release: chosen };
  return choice === null || chosen === null ? null : { kind: choice, commit: chosen };
}
