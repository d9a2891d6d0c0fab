import { type Static, Type } from "@sinclair/typebox";
import type { CiCause, CiEvent, CiOutcome } from "../domain/event.ts";
import { createLazyValidator } from "../lib/schema.ts";
import { ObjectName, RepositoryName } from "./git-push.ts";

/** What the providers of forges have in common where they report CI. */

/** A name of a workflow, branch or event. It is stored, so it must be bounded. */
export const Label = Type.String({ maxLength: 1024 });

/** A field that may be missing or null. */
export const OptionalLabel = Type.Optional(Type.Union([Label, Type.Null()]));

/** A number that may be missing. */
export const OptionalNumber = Type.Optional(Type.Integer({ minimum: 0 }));

/** The names that are present, each once. */
export function listNames(...names: readonly (string | null | undefined)[]): readonly string[] {
  return [...new Set(names.filter((name) => typeof name === "string" && name !== ""))] as string[];
}

/** The outcome of a workflow by its state and conclusion, in the words of GitHub and Gitea. */
export function toOutcome(
  status: string | null | undefined,
  conclusion: string | null | undefined,
): CiOutcome {
  if (status !== "completed") return "pending";
  if (conclusion === "success") return "success";
  // As GitHub's branch protection, which also accepts these two.
  return conclusion === "neutral" || conclusion === "skipped" ? "other" : "failure";
}

/** The events that run a workflow for a commit of the repository itself. */
const REQUESTS = ["workflow_dispatch", "repository_dispatch", "schedule", "create", "release"];

/** What a workflow ran for, by the name of the event that started it. */
export function toCause(event: string): CiCause {
  if (event === "push") return "push";
  return REQUESTS.includes(event) ? "request" : "foreign";
}

/** The run of a workflow in the payload of `workflow_run`. GitHub and Gitea have these fields. */
const WorkflowRun = Type.Object({
  action: Label,
  repository: Type.Object({ full_name: RepositoryName }),
  workflow: Type.Optional(
    Type.Union([Type.Object({ name: OptionalLabel, path: OptionalLabel }), Type.Null()]),
  ),
  workflow_run: Type.Object({
    id: Type.Integer({ minimum: 0 }),
    run_attempt: OptionalNumber,
    name: OptionalLabel,
    path: OptionalLabel,
    event: Label,
    status: OptionalLabel,
    conclusion: OptionalLabel,
    head_sha: ObjectName,
    head_branch: OptionalLabel,
    head_repository: Type.Optional(Type.Union([Type.Object({ full_name: RepositoryName }), Type.Null()])),
  }),
});

const workflowRun = createLazyValidator(WorkflowRun);

/** A payload of `workflow_run`; null for another. */
export function checkWorkflowRun(payload: unknown): Static<typeof WorkflowRun> | null {
  return workflowRun().Check(payload) ? payload : null;
}

/**
 * The event of a workflow's run.
 *
 * @param refs the branch or tag that it ran for.
 * @param isOwn whether the commit is the repository's own, not that of a fork.
 */
export function toWorkflowRunEvent(
  { action, repository, workflow, workflow_run: run }: Static<typeof WorkflowRun>,
  refs: readonly string[],
  isOwn: boolean,
): CiEvent {
  // `.github/workflows/ci.yml` at GitHub, `ci.yml@refs/heads/main` in a run of Gitea.
  const file = (workflow?.path ?? run.path ?? "").replace(/@refs\/.*$/s, "");
  const workflows = listNames(workflow?.name, run.name, file.split("/").at(-1), file);
  return {
    kind: "ci",
    name: "workflow_run",
    action,
    repository: repository.full_name,
    refs,
    commit: run.head_sha,
    workflows,
    outcome: action === "completed" ? toOutcome(run.status, run.conclusion) : "pending",
    cause: isOwn ? toCause(run.event) : "foreign",
    run: {
      check: `workflow_run ${file || (workflows[0] ?? "")}`,
      number: run.id,
      attempt: run.run_attempt ?? 1,
    },
  };
}
