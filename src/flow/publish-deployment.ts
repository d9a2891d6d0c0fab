import type { DeploymentStore } from "../domain/deployment.ts";
import type { Publish } from "../domain/happening.ts";

/** Tells those who watch how a deployment stands, as it is kept. Never rejects: nothing depends on their hearing it. */
export async function publishDeployment(
  id: number,
  { store, publish }: { readonly store: Pick<DeploymentStore, "readDeployment">; readonly publish: Publish },
): Promise<void> {
  const deployment = await store.readDeployment(id).catch(() => null);
  if (deployment !== null) publish({ kind: "deployment", deployment });
}
