import type { DeploymentStore } from "../domain/deployment.ts";
import { MAX_PAGE } from "../domain/page.ts";
import { type ReleaseHistory, traceReleaseHistory } from "../domain/release.ts";

/** A target's history, as far as a page of its deployments tells. */
export async function readReleaseHistory(
  target: string,
  store: Pick<DeploymentStore, "listDeployments">,
): Promise<ReleaseHistory> {
  const range = { limit: MAX_PAGE, before: null };
  const filter = { target, state: "succeeded", source: null } as const;
  return traceReleaseHistory((await store.listDeployments(filter, range)).items);
}
