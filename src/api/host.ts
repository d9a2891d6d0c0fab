import { type Static, Type } from "@sinclair/typebox";
import type { Deployment } from "../domain/deployment.ts";
import type { Host } from "../domain/host.ts";
import { Id, nullable, oneOf, Time } from "./schema.ts";

const HOST = {
  name: Type.String(),
  state: oneOf(["up", "away"], "`up` while its process renews its lease"),
  draining: Type.Boolean({ description: "whether it starts no deployment, as a person ordered" }),
};

/** A host in short. */
export const ApiHostState = Type.Object(HOST);

/** A host that deploys. */
export const ApiHost = Type.Object({
  ...HOST,
  version: Type.String({ description: "the version of its hooklatch" }),
  since: Type.Unsafe<string>({ ...Time, description: "the start of its process" }),
  seen_at: Type.Unsafe<string>({ ...Time, description: "when its process last renewed its lease" }),
  targets: Type.Array(
    Type.Object({
      name: Type.String(),
      releases: nullable(
        Type.Array(Type.String()),
        "complete releases on its disk, newest first; null for a layout without releases",
      ),
    }),
    { description: "the targets that its configuration deploys on it" },
  ),
  running: Type.Array(Id, { description: "the running deployments" }),
  queued: Type.Array(Id, { description: "the queued deployments, the newest 500" }),
});
export type ApiHost = Static<typeof ApiHost>;

/** A host that a request removed. */
export const ApiForgotten = Type.Object({
  status: Type.Literal("forgotten"),
  cancelled: Type.Array(Id, { description: "the queued deployments that were cancelled" }),
});

/** A host in short, as JSON. */
export function toApiHostState({ name, state, isDraining }: Host) {
  return { name, state, draining: isDraining };
}

/** A host as JSON. */
export function toApiHost(
  host: Host,
  running: readonly Deployment[],
  queued: readonly Deployment[],
): ApiHost {
  const { version, since, seenAt, targets } = host;
  return {
    ...toApiHostState(host),
    version,
    since: since.toISOString(),
    seen_at: seenAt.toISOString(),
    targets: targets.map(({ name, releases }) => ({ name, releases: releases && [...releases] })),
    running: running.map(({ id }) => id),
    queued: queued.map(({ id }) => id),
  };
}
