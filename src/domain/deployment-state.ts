/** Every state, in the order in which a deployment may pass them. */
export const DEPLOYMENT_STATES = [
  "queued",
  "running",
  "succeeded",
  "failed",
  "superseded",
  "cancelled",
  "interrupted",
] as const;

/** Where a deployment is on its way. */
export type DeploymentState = (typeof DEPLOYMENT_STATES)[number];

/** Whether a deployment in this state has come to its end. */
export function hasEnded(state: DeploymentState): boolean {
  return state !== "queued" && state !== "running";
}
