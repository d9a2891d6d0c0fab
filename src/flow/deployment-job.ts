import type { CiGate } from "../domain/ci.ts";
import type { Deployment } from "../domain/deployment.ts";
import { actionOf, nameOf } from "../domain/event.ts";
import { findDecisiveEvent } from "../domain/match.ts";
import type { ReleaseHistory } from "../domain/release.ts";
import { createRuleValues, type RuleValues } from "../domain/rule.ts";
import type { Source } from "../domain/source.ts";
import type { Target } from "../domain/target.ts";
import { createCiGate } from "./ci-gate.ts";
import { readReleaseHistory } from "./recovery.ts";
import { parseStoredDelivery } from "./replay.ts";
import type { FlowServices } from "./services.ts";

/** A deployment to run, and what requested it. */
export interface DeploymentJob {
  readonly deployment: Deployment;
  readonly target: Target;
  /** The name of the event that requested it; null when no delivery did. */
  readonly event: string | null;
  /** The action of that event; null where it has none. */
  readonly action: string | null;
  /** Reads what `payload_env` is about; null when no delivery requested it. */
  readonly readValues: (() => RuleValues) | null;
  /** The delivery's payload as JSON text; null when no delivery requested it. */
  readonly payload: string | null;
  /** The further conditions for a commit whose CI succeeded; null for other deployments. */
  readonly gate: CiGate | null;
  /** Reads the history of the target's commits and releases. A function, because few deployments need it. */
  readonly history: () => Promise<ReleaseHistory>;
}

/** Adds the event and payload of the deployment's delivery. */
export async function createJob(
  deployment: Deployment,
  target: Target,
  {
    store,
    configured,
  }: Pick<FlowServices, "store"> & { readonly configured: () => { readonly sources: readonly Source[] } },
): Promise<DeploymentJob> {
  const history = () => readReleaseHistory(target.name, store);
  const delivery = deployment.delivery === null ? null : await store.readDelivery(deployment.delivery);
  const gate = createCiGate(deployment, target, store);
  const job = {
    deployment,
    target,
    event: null,
    action: null,
    readValues: null,
    payload: null,
    gate,
    history,
  };
  if (delivery === null) return job;
  const parsed = parseStoredDelivery(delivery, configured().sources)?.parsed;
  if (parsed?.kind !== "parsed") {
    return { ...job, event: delivery.eventName ?? delivery.event, action: delivery.action };
  }
  const { events, json: payload } = parsed;
  const event = findDecisiveEvent(events, target);
  const readRuleValues = createRuleValues(payload, delivery.headers);
  const readValues = () => readRuleValues(event);
  return { ...job, event: nameOf(event), action: actionOf(event), readValues, payload };
}
