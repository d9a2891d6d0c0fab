import { type Static, Type } from "@sinclair/typebox";
import type { Deployment } from "../domain/deployment.ts";
import type { TargetStatus } from "../domain/deployment-store.ts";
import type { Lock } from "../domain/lock.ts";
import type { Target } from "../domain/target.ts";
import { RESULT, toApiResult } from "./deployment.ts";
import { Id, nullable, oneOf, Time } from "./schema.ts";

/** A lock on a target. */
export const ApiLock = Type.Object({
  reason: Type.String(),
  by: Type.String({ description: "who locked it" }),
  since: Time,
  until: nullable(Time, "when it expires; null for never"),
});
export type ApiLock = Static<typeof ApiLock>;

/** A target and its state. */
export const ApiTarget = Type.Object({
  name: Type.String(),
  source: Type.String(),
  repository: nullable(Type.String(), "`owner/name`; null for a target without git"),
  branch: nullable(Type.String(), "the branch to deploy"),
  tag: nullable(Type.String(), "the pattern of the tags to deploy"),
  wait_for_ci: nullable(
    Type.Union([Type.Boolean(), Type.String()]),
    "the workflow whose success deploys a commit, `true` for all workflows; null when pushes are deployed",
  ),
  directory: Type.String(),
  layout: Type.String(),
  live: nullable(
    Type.Object({
      commit: nullable(Type.String()),
      release: nullable(Type.String()),
      since: Time,
      deployment: nullable(Id, "the deployment that made it live"),
      subject: nullable(Type.String(), "the first line of the commit's message"),
      author: nullable(Type.String(), "the name of the commit's author"),
      commit_url: nullable(Type.String(), "the commit's page at the forge"),
    }),
    "what is live; null if nothing was ever deployed",
  ),
  locked: nullable(ApiLock, "the lock; null for an unlocked target"),
  queued: nullable(Id, "the queued deployment"),
  running: nullable(Id, "the running deployment"),
  last: nullable(
    Type.Object({ id: Id, ...RESULT, ended_at: nullable(Time) }),
    "the newest deployment that is not superseded",
  ),
});
export type ApiTarget = Static<typeof ApiTarget>;

/** A single target, with its releases. */
export const ApiTargetDetails = Type.Object({
  ...ApiTarget.properties,
  releases: nullable(
    Type.Array(Type.String()),
    "complete releases on disk, newest first; null for a layout without releases",
  ),
});
export type ApiTargetDetails = Static<typeof ApiTargetDetails>;

/** A target that a request locked. */
export const ApiLocked = Type.Object({
  status: Type.Literal("locked"),
  target: ApiTarget,
  deliveries: oneOf(
    ["held", "queued"],
    "what happens to deliveries that would deploy it: the newest is held, or all wait in the queue",
  ),
  replaced: nullable(ApiLock, "the lock that it had; null for none"),
});
export type ApiLocked = Static<typeof ApiLocked>;

/** The result of unlocking a target. */
export const ApiUnlocked = Type.Object({
  status: Type.Literal("unlocked"),
  deployment: nullable(Id, "the deployment that is queued now"),
  reason: Type.String({ description: "what it deploys, or why none is queued" }),
});

/** A lock as JSON. */
export function toApiLock({ reason, by, since, until }: Lock): ApiLock {
  return { reason, by, since: since.toISOString(), until: until?.toISOString() ?? null };
}

/** A target as JSON. `deployed` is its newest successful deployment. */
export function toApiTarget(target: Target, status: TargetStatus, deployed: Deployment | null): ApiTarget {
  const { name, source, directory, layout, repository, waitForCi } = target;
  const { live, lock, queued, running, latest } = status;
  return {
    name,
    source,
    repository: repository?.fullName ?? null,
    branch: repository?.ref.kind === "branch" ? repository.ref.name : null,
    tag: repository?.ref.kind === "tag" ? repository.ref.pattern : null,
    wait_for_ci: waitForCi === null ? null : (waitForCi.workflow ?? true),
    directory,
    layout,
    live: live && {
      ...live,
      since: live.since.toISOString(),
      deployment: deployed?.id ?? null,
      subject: deployed?.subject ?? null,
      author: deployed?.author ?? null,
      commit_url: deployed?.commitUrl ?? null,
    },
    locked: lock && toApiLock(lock),
    queued,
    running,
    last: latest && {
      id: latest.id,
      ...toApiResult(latest),
      ended_at: latest.endedAt?.toISOString() ?? null,
    },
  };
}
