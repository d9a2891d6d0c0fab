import { type Static, Type } from "@sinclair/typebox";
import type { Host } from "../domain/host.ts";
import type { Source } from "../domain/source.ts";
import type { StoreStatistics } from "../domain/store.ts";
import { ApiHostState, toApiHostState } from "./host.ts";
import { nullable, oneOf, Time } from "./schema.ts";

/** The state of the server. */
export const ApiStatus = Type.Object({
  status: oneOf(["ok", "stopping"]),
  version: Type.String(),
  started_at: Time,
  public_url: nullable(Type.String(), "`public_url` of the configuration"),
  sources: Type.Array(Type.Object({ name: Type.String(), provider: Type.String(), path: Type.String() })),
  host: Type.String({ description: "the name of this machine" }),
  hosts: nullable(
    Type.Array(ApiHostState),
    "the hosts that share the store, by name; null where the store has one host",
  ),
  targets: Type.Integer({ description: "number of configured targets" }),
  queued: Type.Integer({ description: "number of queued deployments" }),
  running: Type.Integer({ description: "number of running deployments" }),
  store_bytes: Type.Integer({ description: "size of the database files" }),
  certificate_expires_at: nullable(Time, "null without TLS"),
  disks: Type.Array(
    Type.Object({
      path: Type.String({ description: "the data directory, or the directory of the first target on it" }),
      free_bytes: Type.Integer({ description: "available to the service" }),
      total_bytes: Type.Integer(),
    }),
    { description: "the file systems of the data directory and the targets" },
  ),
});
export type ApiStatus = Static<typeof ApiStatus>;

/** The parts of the status that are not stored. */
export interface About {
  readonly version: string;
  readonly startedAt: Date;
  /** Whether the server is stopping and rejects deliveries. */
  readonly draining: boolean;
  readonly publicUrl: string | null;
  /** Null without TLS. */
  readonly certificateExpiresAt: Date | null;
}

/** A file system. */
export interface Disk {
  /** A directory on it. */
  readonly path: string;
  /** Bytes that a user without privileges may use. */
  readonly free: number;
  readonly total: number;
}

/** What the status describes besides the server itself. */
export interface StatusParts {
  readonly sources: readonly Source[];
  /** The number of configured targets. */
  readonly targets: number;
  readonly disks: readonly Disk[];
  /** The name of this machine. */
  readonly host: string;
  /** Null where the store has one host. */
  readonly hosts: readonly Host[] | null;
}

/** The state of the server as JSON. */
export function toApiStatus(
  { version, startedAt, draining, publicUrl, certificateExpiresAt }: About,
  { bytes, queued, running }: StoreStatistics,
  { sources, targets, disks, host, hosts }: StatusParts,
): ApiStatus {
  return {
    status: draining ? "stopping" : "ok",
    version,
    started_at: startedAt.toISOString(),
    public_url: publicUrl,
    sources: sources.map(({ name, provider, path }) => ({ name, provider, path })),
    host,
    hosts: hosts?.map(toApiHostState) ?? null,
    targets,
    queued,
    running,
    store_bytes: bytes,
    certificate_expires_at: certificateExpiresAt?.toISOString() ?? null,
    disks: disks.map(({ path, free, total }) => ({ path, free_bytes: free, total_bytes: total })),
  };
}
