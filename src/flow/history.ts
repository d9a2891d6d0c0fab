import type { DeploymentStore } from "../domain/deployment.ts";
import { MAX_PAGE } from "../domain/page.ts";
import { type History, traceHistory } from "../domain/release.ts";

/** A target's history, as far as a page of its deployments tells. */
export async function readHistory(
  target: string,
  store: Pick<DeploymentStore, "listDeployments">,
): Promise<History> {
  const range = { limit: MAX_PAGE, before: null };
  const filter = { target, state: "succeeded", source: null } as const;
  return traceHistory((await store.listDeployments(filter, range)).items);
}
