import { layouts } from "../deploy/layouts/index.ts";
import type { HostTarget } from "../domain/host.ts";
import type { Layout } from "../domain/layout.ts";
import { isDeployedOn, type Target } from "../domain/target.ts";

/** The names of the target's complete releases, newest first; null without a repository or a layout with releases. */
export async function releasesOf({
  repository,
  layout,
  directory,
}: Target): Promise<readonly string[] | null> {
  const known: Readonly<Record<string, Layout>> = layouts;
  return repository === null ? null : ((await known[layout]?.releasesOf?.(directory)) ?? null);
}

/** The targets that are deployed on the host, with their releases. */
export function listHostTargets(targets: readonly Target[], host: string): Promise<readonly HostTarget[]> {
  const own = targets.filter((target) => isDeployedOn(target, host));
  return Promise.all(own.map(async (target) => ({ name: target.name, releases: await releasesOf(target) })));
}
