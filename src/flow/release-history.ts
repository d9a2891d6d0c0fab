import type { DeploymentStore } from "../domain/deployment-store.ts";
import { MAX_PAGE } from "../domain/page.ts";
import { type ReleaseHistory, traceReleaseHistory } from "../domain/release.ts";

/** A target's history, from the last page of its successful deployments. */
export async function readReleaseHistory(
  target: string,
  store: Pick<DeploymentStore, "listDeployments">,
): Promise<ReleaseHistory> {
  const range = { limit: MAX_PAGE, before: null };
  const filter = { target, state: "succeeded", source: null } as const;
  return traceReleaseHistory((await store.listDeployments(filter, range)).items);
}
