import { Type } from "@sinclair/typebox";
import type { CiEvent } from "../../domain/event.ts";
import { createLazyValidator } from "../../lib/schema.ts";
import { checkWorkflowRun, Label, listNames, OptionalLabel, toOutcome, toWorkflowRunEvent } from "../ci.ts";
import { ObjectName, RepositoryName } from "../git-push.ts";

const Repository = Type.Object({ full_name: RepositoryName });

const CheckSuite = Type.Object({
  action: Label,
  repository: Repository,
  check_suite: Type.Object({
    id: Type.Integer({ minimum: 0 }),
    head_sha: ObjectName,
    head_branch: OptionalLabel,
    status: OptionalLabel,
    conclusion: OptionalLabel,
    app: Type.Optional(Type.Union([Type.Object({ slug: OptionalLabel, name: OptionalLabel }), Type.Null()])),
  }),
});

const Status = Type.Object({
  id: Type.Integer({ minimum: 0 }),
  sha: ObjectName,
  state: Label,
  context: Label,
  branches: Type.Array(Type.Object({ name: Label })),
  repository: Repository,
});

const checkSuite = createLazyValidator(CheckSuite);
const status = createLazyValidator(Status);

/** A result of CI; null for another event, and for a payload that lacks what a decision needs. */
export function readCiEvent(name: string, payload: unknown): CiEvent | null {
  if (name === "workflow_run") return readWorkflowRun(payload);
  if (name === "check_suite") return readCheckSuite(payload);
  return name === "status" ? readStatus(payload) : null;
}

/** A pull request of a fork may have a branch of the same name. The fork may have been deleted meanwhile. */
function readWorkflowRun(payload: unknown): CiEvent | null {
  const checked = checkWorkflowRun(payload);
  if (checked === null) return null;
  const { repository, workflow_run: run } = checked;
  const isOwn = run.head_repository?.full_name.toLowerCase() === repository.full_name.toLowerCase();
  return toWorkflowRunEvent(checked, listNames(run.head_branch), isOwn);
}

/** The App of GitHub Actions. Each run of a workflow has a suite, which does not say what the workflow ran for. */
const ACTIONS = "github-actions";

/** The branch of a pull request from a fork is null. */
function readCheckSuite(payload: unknown): CiEvent | null {
  if (!checkSuite().Check(payload)) return null;
  const { action, repository, check_suite: suite } = payload;
  const isForeign = suite.app?.slug === ACTIONS || !suite.head_branch;
  return {
    kind: "ci",
    name: "check_suite",
    action,
    repository: repository.full_name,
    refs: listNames(suite.head_branch),
    commit: suite.head_sha,
    workflows: listNames(suite.app?.name, suite.app?.slug),
    outcome: action === "completed" ? toOutcome(suite.status, suite.conclusion) : "pending",
    cause: isForeign ? "foreign" : "unknown",
    run: { check: `check_suite ${suite.app?.slug ?? suite.app?.name ?? ""}`, number: suite.id, attempt: 1 },
  };
}

const STATES = new Map<string, CiEvent["outcome"]>(
  Object.entries({ success: "success", pending: "pending" }),
);

/** GitHub names at most this many branches that contain the commit. */
const MAX_BRANCHES = 10;

function readStatus(payload: unknown): CiEvent | null {
  if (!status().Check(payload)) return null;
  const { id, sha, state, context, branches, repository } = payload;
  return {
    kind: "ci",
    name: "status",
    repository: repository.full_name,
    refs: branches.length >= MAX_BRANCHES ? null : branches.map((branch) => branch.name),
    commit: sha,
    workflows: [context],
    outcome: STATES.get(state) ?? "failure",
    // The results of deployments are statuses, too: they must not deploy.
    cause: context.startsWith("hooklatch/") ? "foreign" : "unknown",
    run: { check: `status ${context}`, number: id, attempt: 1 },
  };
}
