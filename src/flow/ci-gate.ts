import { type CiGate, findCiObstacle } from "../domain/ci.ts";
import type { Deployment } from "../domain/deployment.ts";
import type { SkipReason } from "../domain/layout.ts";
import { isCiFor } from "../domain/match.ts";
import { MAX_PAGE } from "../domain/page.ts";
import type { Target } from "../domain/target.ts";
import type { FlowServices } from "./services.ts";

/** Creates the gate of a deployment; null unless it deploys a commit whose CI succeeded. */
export function createCiGate(
  deployment: Deployment,
  target: Target,
  store: FlowServices["store"],
): CiGate | null {
  const { id, choice, trigger } = deployment;
  if (choice?.kind !== "ci") return null;

  const list = async (state: Deployment["state"] | null) => {
    const filter = { target: target.name, state, source: null, host: store.host };
    return (await store.listDeployments(filter, { limit: MAX_PAGE, before: null })).items;
  };

  /** Several results of CI may arrive for one commit while the first of them deploys it. */
  async function findEarlier(): Promise<SkipReason | null> {
    const earlier = (await list(null)).find((other) => other.id < id && wasUnderWay(other, deployment));
    if (earlier === undefined) return null;
    const reason = `deployment ${earlier.id} of the commit was not over when CI succeeded again`;
    return { code: "already_queued", reason };
  }

  async function findUnfinished(commit: string): Promise<SkipReason | null> {
    const { repository, source, waitForCi } = target;
    if (repository === null || waitForCi === null) return null;
    const results = await store.listCiResults(source, commit);
    return findCiObstacle(
      results.filter((result) => isCiFor(result, repository)),
      waitForCi,
    );
  }

  return {
    async findObstacle() {
      return (trigger === "ci" ? await findEarlier() : null) ?? (await findUnfinished(choice.commit));
    },
    async listQueued() {
      if (target.queue === "all") return [];
      const queued = (await list("queued")).flatMap((each) =>
        each.choice?.kind === "ci" && each.choice.commit !== choice.commit ? each.choice.commit : [],
      );
      const commits: string[] = [];
      for (const commit of new Set(queued)) {
        if ((await findUnfinished(commit)) === null) commits.push(commit);
      }
      return commits;
    },
  };
}

/** Whether `other` deployed the same commit, or tried to, after `deployment` had been queued. */
function wasUnderWay(other: Deployment, { choice, createdAt }: Deployment): boolean {
  if (other.choice?.kind !== "ci" || choice?.kind !== "ci" || other.choice.commit !== choice.commit)
    return false;
  const isDone = other.code === "cancelled" || other.state === "succeeded" || other.state === "failed";
  return isDone && other.endedAt !== null && other.endedAt >= createdAt;
}
