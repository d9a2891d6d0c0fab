import type { Choice, Deployment, StepResult } from "../../../domain/deployment.ts";

/** A row of the table `deployment`. */
export interface DeploymentRow extends ChoiceRow {
  id: number;
  target: string;
  state: Deployment["state"];
  code: Deployment["code"];
  reason: string | null;
  trigger: Deployment["trigger"];
  attempt: number;
  retry_of: number | null;
  superseded_by: number | null;
  delivery: number | null;
  pushed_commit: string | null;
  branch: string | null;
  commit: string | null;
  previous_commit: string | null;
  release: string | null;
  created_at: number;
  started_at: number | null;
  ended_at: number | null;
}

/** A row with the deployment that repeats it. */
export interface RetriedRow extends DeploymentRow {
  retried_as: number | null;
}

/** The SQL expression for the deployment that repeats one of the table `deployment`. */
export const RETRIED_AS = "(SELECT id FROM deployment AS retry WHERE retry.retry_of = deployment.id)";

/** The columns of a {@link RetriedRow}. */
export const DEPLOYMENT_COLUMNS = `deployment.*, ${RETRIED_AS} AS retried_as`;

/** A row of the table `step`, in whole milliseconds. */
export type StepRow = {
  command: string;
  exit_code: number | null;
  signal: string | null;
  milliseconds: number;
};

/** Reads a row and its steps. */
export function toDeployment(row: RetriedRow, steps: readonly StepRow[]): Deployment {
  return {
    id: row.id,
    target: row.target,
    state: row.state,
    code: row.code,
    reason: row.reason,
    trigger: row.trigger,
    attempt: row.attempt,
    retryOf: row.retry_of,
    retriedAs: row.retried_as,
    supersededBy: row.superseded_by,
    delivery: row.delivery,
    pushedCommit: row.pushed_commit,
    choice: toChoice(row),
    branch: row.branch,
    commit: row.commit,
    previousCommit: row.previous_commit,
    release: row.release,
    createdAt: new Date(row.created_at),
    startedAt: toDate(row.started_at),
    endedAt: toDate(row.ended_at),
    steps: steps.map(toStep),
  };
}

/** Reads the row of a deployment that did not run: it has no steps and no retry. */
export function toWaitingDeployment(row: DeploymentRow): Deployment {
  return toDeployment({ ...row, retried_as: null }, []);
}

/** A step as a row. The column is STRICT, and takes whole milliseconds. */
export function toStepRow(step: StepResult): StepRow {
  return {
    command: step.command,
    exit_code: step.exitCode,
    signal: step.signal,
    milliseconds: Math.round(step.milliseconds),
  };
}

function toStep(row: StepRow): StepResult {
  return {
    command: row.command,
    exitCode: row.exit_code,
    signal: row.signal,
    milliseconds: row.milliseconds,
  };
}

function toDate(time: number | null): Date | null {
  return time === null ? null : new Date(time);
}

/** The columns of a choice. */
export type ChoiceRow = {
  choice: Choice["kind"] | null;
  chosen: string | null;
};

/** A choice as columns, both null for the tip. */
export function toChoiceRow(choice: Choice | null): ChoiceRow {
  if (choice === null) return { choice: null, chosen: null };
  return { choice: choice.kind, chosen: choice.kind === "commit" ? choice.commit : choice.release };
}

function toChoice({ choice, chosen }: ChoiceRow): Choice | null {
  if (choice === "release") return { kind: choice, release: chosen };
  return choice === null || chosen === null ? null : { kind: choice, commit: chosen };
}
