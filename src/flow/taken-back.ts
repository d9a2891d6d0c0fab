import type { DeploymentStore } from "../domain/deployment.ts";
import { MAX_PAGE } from "../domain/page.ts";
import { findTakenBack } from "../domain/release.ts";

/** The commits that people went back from, as far as a page of a target's history tells. */
export async function readTakenBack(
  target: string,
  store: Pick<DeploymentStore, "listDeployments">,
): Promise<readonly string[]> {
  const range = { limit: MAX_PAGE, before: null };
  return findTakenBack((await store.listDeployments({ target, state: "succeeded" }, range)).items);
}
