import { Type } from "@sinclair/typebox";
import type { CiCause, CiEvent, CiOutcome } from "../../domain/event.ts";
import { createLazyValidator } from "../../lib/schema.ts";
import { Label, listNames, OptionalLabel } from "../ci.ts";
import { ObjectName, RepositoryName } from "../git-push.ts";

const Pipeline = Type.Object({
  object_attributes: Type.Object({
    id: Type.Integer({ minimum: 0 }),
    name: OptionalLabel,
    ref: Label,
    sha: ObjectName,
    source: OptionalLabel,
    status: Label,
  }),
  project: Type.Object({ path_with_namespace: RepositoryName }),
  merge_request: Type.Optional(Type.Unknown()),
});

const pipeline = createLazyValidator(Pipeline);

/** Source: https://docs.gitlab.com/api/pipelines/, `status`. */
const OUTCOMES = new Map<string, CiOutcome>(
  Object.entries({
    success: "success",
    failed: "failure",
    canceled: "failure",
    skipped: "other",
  }),
);

/** Pipelines for a commit of the project itself. Source: https://docs.gitlab.com/ci/jobs/job_rules/, `CI_PIPELINE_SOURCE`. */
const CAUSES = new Map<string, CiCause>(
  Object.entries({
    push: "push",
    web: "request",
    api: "request",
    trigger: "request",
    schedule: "request",
    pipeline: "request",
    chat: "request",
    webide: "push",
  }),
);

/** A result of CI; null for a payload that lacks what a decision needs. */
export function readPipeline(payload: unknown): CiEvent | null {
  if (!pipeline().Check(payload)) return null;
  const { object_attributes: attributes, project, merge_request: mergeRequest } = payload;
  const { id, name, ref, sha, source, status } = attributes;
  // The pipeline of a merge request has the name of its source branch, which may be that of a fork.
  const isForeign = mergeRequest !== undefined && mergeRequest !== null && source !== "push";
  const cause = source === undefined || source === null ? "unknown" : (CAUSES.get(source) ?? "foreign");
  return {
    kind: "ci",
    name: "pipeline",
    action: status,
    repository: project.path_with_namespace,
    refs: [ref],
    commit: sha,
    workflows: listNames(name),
    outcome: OUTCOMES.get(status) ?? "pending",
    cause: isForeign ? "foreign" : cause,
    // A retry of jobs repeats the pipeline under its id.
    run: { check: `pipeline ${name ?? ""}`, number: id, attempt: 1 },
  };
}
