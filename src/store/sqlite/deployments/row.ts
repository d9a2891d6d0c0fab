import type { Choice, Deployment, StepResult } from "../../../domain/deployment.ts";

/** A deployment as its table has it. */
export interface DeploymentRow extends ChoiceRow {
  id: number;
  target: string;
  state: Deployment["state"];
  reason: string | null;
  trigger: Deployment["trigger"];
  attempt: number;
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

/** A step as its table has it, in whole milliseconds. */
export type StepRow = {
  command: string;
  exit_code: number | null;
  signal: string | null;
  milliseconds: number;
};

/** A deployment as the rest of the program knows it. */
export function toDeployment(row: DeploymentRow, steps: readonly StepRow[]): Deployment {
  return {
    id: row.id,
    target: row.target,
    state: row.state,
    reason: row.reason,
    trigger: row.trigger,
    attempt: row.attempt,
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

/** A step as its row has it: whole milliseconds, since the column is STRICT. */
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

/** A choice as the deployments' table has it. */
export type ChoiceRow = {
  choice: Choice["kind"] | null;
  chosen: string | null;
};

/** The choice's columns; both null where it is the tip. */
export function toChoiceRow(choice: Choice | null): ChoiceRow {
  if (choice === null) return { choice: null, chosen: null };
  return { choice: choice.kind, chosen: choice.kind === "commit" ? choice.commit : choice.release };
}

/** The choice that the columns hold. */
export function toChoice({ choice, chosen }: ChoiceRow): Choice | null {
  if (choice === "release") return { kind: choice, release: chosen };
  return choice === null || chosen === null ? null : { kind: choice, commit: chosen };
}
