import { Type } from "@sinclair/typebox";
import { type CiEvent, type CiOutcome, parseRef } from "../../domain/event.ts";
import { createLazyValidator } from "../../lib/schema.ts";
import { checkWorkflowRun, Label, listNames, OptionalLabel, toCause, toWorkflowRunEvent } from "../ci.ts";
import { ObjectName, RepositoryName } from "../git-push.ts";

/**
 * The run of an action in Forgejo, which has no `workflow_run` and reports only the end of a run.
 * Source: modules/structs/action.go and modules/structs/hook.go of forgejo/forgejo.
 */
const ActionRun = Type.Object({
  run: Type.Object({
    id: Type.Integer({ minimum: 0 }),
    repository: Type.Object({ full_name: RepositoryName }),
    workflow_id: Label,
    prettyref: Label,
    commit_sha: ObjectName,
    is_fork_pull_request: Type.Boolean(),
    event: OptionalLabel,
    trigger_event: OptionalLabel,
    status: Label,
  }),
});

const actionRun = createLazyValidator(ActionRun);

/** A success after a failure is reported twice, as a success and as a recovery. */
const ACTION_RUNS = ["action_run_success", "action_run_recover", "action_run_failure"];

const OUTCOMES = new Map<string, CiOutcome>(
  Object.entries({
    success: "success",
    failure: "failure",
    cancelled: "failure",
    skipped: "other",
  }),
);

/** A result of CI; null for another event, and for a payload that lacks what a decision needs. */
export function readCiEvent(name: string, payload: unknown): CiEvent | null {
  if (name === "workflow_run") return readWorkflowRun(payload);
  if (!ACTION_RUNS.includes(name) || !actionRun().Check(payload)) return null;
  const { run } = payload;
  return {
    kind: "ci",
    name,
    repository: run.repository.full_name,
    // `#7` for a pull request.
    refs: [run.prettyref],
    commit: run.commit_sha,
    workflows: [run.workflow_id],
    // The name is in a header, which is not signed.
    outcome: OUTCOMES.get(run.status) ?? "pending",
    cause: run.is_fork_pull_request ? "foreign" : toCause(run.trigger_event || run.event || ""),
    run: { check: `action_run ${run.workflow_id}`, number: run.id, attempt: 1 },
  };
}

/** In Gitea the branch is empty for a tag and for a pull request; the path has the ref: `ci.yml@refs/tags/v1`. */
function readWorkflowRun(payload: unknown): CiEvent | null {
  const checked = checkWorkflowRun(payload);
  if (checked === null) return null;
  const { repository, workflow_run: run } = checked;
  const [, full] = /@(refs\/.*)$/s.exec(run.path ?? "") ?? [];
  const ref = full === undefined ? null : parseRef(full);
  const refs = ref === null ? listNames(run.head_branch) : ref.kind === "other" ? [] : [ref.name];
  const head = run.head_repository?.full_name ?? repository.full_name;
  return toWorkflowRunEvent(checked, refs, head.toLowerCase() === repository.full_name.toLowerCase());
}
