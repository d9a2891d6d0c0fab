import { type Static, Type } from "@sinclair/typebox";
import type { Deployment } from "../domain/deployment.ts";
import type { TargetStatus } from "../domain/deployment-store.ts";
import type { Host } from "../domain/host.ts";
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

/** What a target is doing on a host. */
const STATUS = {
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
  queued: nullable(Id, "the queued deployment"),
  running: nullable(Id, "the running deployment"),
  last: nullable(
    Type.Object({ id: Id, ...RESULT, ended_at: nullable(Time) }),
    "the newest deployment that is not superseded",
  ),
};

const RELEASES = nullable(
  Type.Array(Type.String()),
  "complete releases on disk, newest first; null for a layout without releases",
);

/** Whether a host of a target can deploy it now. */
const HOST_STATES = ["up", "away", "unknown"] as const;

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
  ...STATUS,
  locked: nullable(ApiLock, "the lock; null for an unlocked target"),
  hosts: nullable(
    Type.Array(
      Type.Object({
        host: Type.String(),
        state: oneOf(HOST_STATES, "`unknown` until it has run once"),
        draining: Type.Boolean({ description: "whether it starts no deployment, as a person ordered" }),
        ...STATUS,
        releases: RELEASES,
      }),
    ),
    "the hosts that deploy it, in the order of a rollout; null where the store has one host. The other fields are those of this host, or of the first",
  ),
});
export type ApiTarget = Static<typeof ApiTarget>;

/** A single target, with its releases. */
export const ApiTargetDetails = Type.Object({
  ...ApiTarget.properties,
  releases: RELEASES,
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

/** What a target is doing on a host. */
export interface HostStatus {
  readonly status: TargetStatus;
  /** Its newest successful deployment there. */
  readonly deployed: Deployment | null;
}

/** A host of a target. */
export interface TargetHost extends HostStatus {
  readonly name: string;
  /** Null until it has run once. */
  readonly host: Host | null;
}

/** A target as JSON. */
export function toApiTarget(target: Target, own: HostStatus, hosts: readonly TargetHost[] | null): ApiTarget {
  const { name, source, directory, layout, repository, waitForCi } = target;
  return {
    name,
    source,
    repository: repository?.fullName ?? null,
    branch: repository?.ref.kind === "branch" ? repository.ref.name : null,
    tag: repository?.ref.kind === "tag" ? repository.ref.pattern : null,
    wait_for_ci: waitForCi === null ? null : (waitForCi.workflow ?? true),
    directory,
    layout,
    ...toStatusFields(own),
    locked: own.status.lock && toApiLock(own.status.lock),
    hosts: hosts?.map((each) => toApiTargetHost(target, each)) ?? null,
  };
}

function toApiTargetHost(target: Target, { name, host, ...status }: TargetHost) {
  const releases = host?.targets.find((each) => each.name === target.name)?.releases;
  return {
    host: name,
    state: host?.state ?? "unknown",
    draining: host?.isDraining ?? false,
    ...toStatusFields(status),
    releases: releases ? [...releases] : null,
  };
}

function toStatusFields({ status: { live, queued, running, latest }, deployed }: HostStatus) {
  return {
    live: live && {
      ...live,
      since: live.since.toISOString(),
      deployment: deployed?.id ?? null,
      subject: deployed?.subject ?? null,
      author: deployed?.author ?? null,
      commit_url: deployed?.commitUrl ?? null,
    },
    queued,
    running,
    last: latest && {
      id: latest.id,
      ...toApiResult(latest),
      ended_at: latest.endedAt?.toISOString() ?? null,
    },
  };
}
