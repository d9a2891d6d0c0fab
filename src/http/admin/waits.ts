import type { Deployment } from "../../domain/deployment.ts";
import type { Host } from "../../domain/host.ts";
import type { AdminServices } from "./services.ts";

/** Describes, by their ids, what queued deployments wait for besides their turn: their host, or the host before it. */
export async function explainWaits(
  deployments: readonly Deployment[],
  { fleet, readDeployment }: Pick<AdminServices["store"], "fleet" | "readDeployment">,
): Promise<ReadonlyMap<number, string>> {
  const queued = deployments.filter(({ state }) => state === "queued");
  const waits = new Map<number, string>();
  if (fleet === null || queued.length === 0) return waits;
  const hosts = new Map((await fleet.listHosts()).map((host) => [host.name, host]));
  for (const { id, host, waitsFor } of queued) {
    const first = waitsFor === null ? null : await readDeployment(waitsFor);
    const obstacle = describeHost(host, hosts);
    if (first !== null && first.state !== "succeeded") {
      const cause = describeHost(first.host, hosts);
      const why = cause === null ? "" : `, and ${cause}`;
      waits.set(id, `deployment ${first.id} on host ${first.host} has to succeed first${why}`);
    } else if (obstacle !== null) waits.set(id, obstacle);
  }
  return waits;
}

/** Why the host starts no deployment now; null when it does. */
function describeHost(name: string, hosts: ReadonlyMap<string, Host>): string | null {
  const host = hosts.get(name);
  if (host === undefined) return `host ${name} has never run`;
  if (host.state === "away")
    return `host ${name} is away since ${host.seenAt.toISOString().replace(/\.\d+Z$/, "Z")}`;
  return host.isDraining ? `host ${name} is drained` : null;
}
