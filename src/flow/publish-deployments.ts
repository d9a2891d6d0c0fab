import type { Deployment, Queued, Settled } from "../domain/deployment.ts";
import type { Publish } from "../domain/happening.ts";

/** Tells those who watch how each of the deployments stands now. */
export function publishDeployments(deployments: readonly Deployment[], publish: Publish): void {
  for (const deployment of deployments) publish({ kind: "deployment", deployment });
}

/** Tells those who watch of a deployment that waits since now, and of those that gave way to it. */
export function publishQueued({ deployment, superseded }: Queued, publish: Publish): void {
  publishDeployments([deployment, ...superseded], publish);
}

/** Tells those who watch of a deployment that has ended, and of the one in its place. */
export function publishSettled({ deployment, queuedAgain }: Settled, publish: Publish): void {
  publishDeployments(queuedAgain === null ? [deployment] : [deployment, queuedAgain], publish);
}
