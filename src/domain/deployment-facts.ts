import type { Deployment } from "./deployment.ts";

/** What the outside is told of a deployment, in its own names: the same by the API and by notices. */
export function toDeploymentFields(deployment: Deployment) {
  return {
    target: deployment.target,
    state: deployment.state,
    reason: deployment.reason,
    trigger: deployment.trigger,
    attempt: deployment.attempt,
    delivery: deployment.delivery,
    pushed_commit: deployment.pushedCommit,
    branch: deployment.branch,
    commit: deployment.commit,
    previous_commit: deployment.previousCommit,
    release: deployment.release,
    created_at: deployment.createdAt.toISOString(),
    started_at: deployment.startedAt?.toISOString() ?? null,
    ended_at: deployment.endedAt?.toISOString() ?? null,
  };
}
