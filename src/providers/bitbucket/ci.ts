import { Type } from "@sinclair/typebox";
import type { CiEvent, CiOutcome } from "../../domain/event.ts";
import { createLazyValidator } from "../../lib/schema.ts";
import { Label, listNames, OptionalLabel } from "../ci.ts";
import { ObjectName, RepositoryName } from "../git-push.ts";

const CommitStatus = Type.Object({
  repository: Type.Object({ full_name: RepositoryName }),
  commit_status: Type.Object({
    key: Label,
    name: OptionalLabel,
    state: Label,
    refname: OptionalLabel,
    updated_on: OptionalLabel,
    commit: Type.Optional(Type.Object({ hash: ObjectName })),
    links: Type.Optional(Type.Object({ commit: Type.Object({ href: Label }) })),
  }),
});

const commitStatus = createLazyValidator(CommitStatus);

const OUTCOMES = new Map<string, CiOutcome>(
  Object.entries({
    SUCCESSFUL: "success",
    INPROGRESS: "pending",
    FAILED: "failure",
    STOPPED: "failure",
  }),
);

const EVENTS = ["repo:commit_status_created", "repo:commit_status_updated"];

/**
 * A result of CI; null for another event, and for a payload that lacks what a decision needs. The name of the ref is
 * optional: builds of Pipelines have it, others may not.
 */
export function readCiEvent(name: string, payload: unknown): CiEvent | null {
  if (!EVENTS.includes(name) || !commitStatus().Check(payload)) return null;
  const { repository, commit_status: status } = payload;
  const [, linked] = /\/commit\/([0-9a-f]{40}(?:[0-9a-f]{24})?)$/.exec(status.links?.commit.href ?? "") ?? [];
  const commit = status.commit?.hash ?? linked;
  if (commit === undefined) return null;
  const refs = listNames(status.refname);
  const time = Date.parse(status.updated_on ?? "");
  return {
    kind: "ci",
    name,
    repository: repository.full_name,
    refs: refs.length === 0 ? null : refs,
    commit,
    workflows: listNames(status.name, status.key),
    outcome: OUTCOMES.get(status.state) ?? "failure",
    cause: "unknown",
    // The status of a key is replaced: its time shows which one is later.
    run: { check: `status ${status.key}`, number: Number.isNaN(time) ? 0 : time, attempt: 1 },
  };
}
