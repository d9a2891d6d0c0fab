import { type Static, Type } from "@sinclair/typebox";
import { DECISION_CODES } from "../domain/codes.ts";
import { DELIVERY_STATUSES, type DeliverySummary } from "../domain/delivery.ts";
import type { CiEvent, Event, PushEvent } from "../domain/event.ts";
import { RESULT, toApiResult } from "./deployment.ts";
import { codeOf, Id, nullable, oneOf, Time } from "./schema.ts";

const EVENT_KINDS = ["ping", "push", "ci", "release", "other"] as const satisfies readonly Event["kind"][];

const CI_OUTCOMES = [
  "success",
  "failure",
  "pending",
  "other",
] as const satisfies readonly CiEvent["outcome"][];

/** A delivery in a list. */
export const ApiDelivery = Type.Object({
  id: Id,
  source: Type.String(),
  event: oneOf(EVENT_KINDS, "what it says, in hooklatch's terms"),
  event_name: nullable(
    Type.String(),
    "the sender's name of the event, such as `workflow_run`; null where an earlier version stored it",
  ),
  action: nullable(Type.String(), "the action of the event, such as `completed`"),
  status: oneOf(
    DELIVERY_STATUSES,
    "the `status` of the response that the sender received; one that a lock held changes after the lock",
  ),
  reason: nullable(Type.String(), "why targets were not deployed, as the sender received it"),
  received_at: Time,
  client: Type.String({ description: "the sender's address" }),
  provider_id: nullable(Type.String(), "the sender's id of the delivery"),
  redelivery_of: nullable(Id, "the first delivery with the same id"),
  replay_of: nullable(Id, "the delivery that a person replayed"),
  headers: Type.Record(Type.String(), Type.String(), { description: "the stored headers" }),
  decisions: Type.Array(
    Type.Object({
      target: Type.String(),
      deploy: Type.Boolean(),
      code: nullable(codeOf(DECISION_CODES, "why the delivery does not deploy the target:")),
      reason: nullable(Type.String(), "the code in words, with details"),
    }),
    { description: "for each target that the event is about" },
  ),
  other_targets: Type.Integer({ description: "number of other targets of the source" }),
  deployments: Type.Array(Id, { description: "the deployments that it queued" }),
  outcomes: Type.Array(Type.Object({ deployment: Id, target: Type.String(), ...RESULT }), {
    description: "the states of its deployments",
  }),
});
export type ApiDelivery = Static<typeof ApiDelivery>;

/** A single delivery, with its body. */
export const ApiDeliveryDetails = Type.Object({
  ...ApiDelivery.properties,
  pushes: Type.Array(
    Type.Object({
      repository: Type.String(),
      ref: Type.String({ description: "the full name, such as refs/heads/main" }),
      commit: nullable(Type.String()),
    }),
    { description: "the pushes; none for other events, and if its source can no longer parse it" },
  ),
  ci: nullable(
    Type.Object({
      repository: Type.String(),
      commit: Type.String(),
      workflow: nullable(Type.String(), "the workflow, pipeline or status"),
      outcome: oneOf(CI_OUTCOMES),
    }),
    "the result of CI that it reports; null for other events",
  ),
  body: Type.String({ description: "the payload as text" }),
});
export type ApiDeliveryDetails = Static<typeof ApiDeliveryDetails>;

/** The response to a delivery and to a replay. */
export const ApiReceipt = Type.Object({
  status: Type.String(),
  delivery: Id,
  deployments: Type.Optional(Type.Array(Type.Object({ id: Id, target: Type.String() }))),
  reason: Type.Optional(Type.String({ description: "why targets are not deployed" })),
});
export type ApiReceipt = Static<typeof ApiReceipt>;

/** A delivery as JSON. */
export function toApiDelivery(delivery: DeliverySummary): ApiDelivery {
  return {
    id: delivery.id,
    source: delivery.source,
    event: delivery.event,
    event_name: delivery.eventName,
    action: delivery.action,
    status: delivery.status,
    reason: delivery.reason,
    received_at: delivery.receivedAt.toISOString(),
    client: delivery.client,
    provider_id: delivery.identity?.id ?? null,
    redelivery_of: delivery.redeliveryOf,
    replay_of: delivery.replayOf,
    headers: { ...delivery.headers },
    decisions: [...delivery.decisions],
    other_targets: delivery.otherTargets,
    deployments: [...delivery.deployments],
    outcomes: delivery.outcomes.map((outcome) => ({
      deployment: outcome.deployment,
      target: outcome.target,
      ...toApiResult(outcome),
    })),
  };
}

/** A delivery with its body and what its events say as JSON. */
export function toApiDeliveryDetails(
  delivery: DeliverySummary,
  body: Uint8Array,
  events: readonly Event[],
): ApiDeliveryDetails {
  const pushes = events.filter((event) => event.kind === "push");
  const ci = events.find((event) => event.kind === "ci");
  return {
    ...toApiDelivery(delivery),
    pushes: pushes.map((push) => ({ repository: push.repository, ref: nameRef(push), commit: push.commit })),
    ci:
      ci === undefined
        ? null
        : {
            repository: ci.repository,
            commit: ci.commit,
            workflow: ci.workflows[0] ?? null,
            outcome: ci.outcome,
          },
    // Stored bodies are UTF-8, because they were parsed before they were stored.
    body: new TextDecoder("utf-8", { ignoreBOM: true }).decode(body),
  };
}

function nameRef({ ref: { kind, name } }: PushEvent): string {
  return { branch: `refs/heads/${name}`, tag: `refs/tags/${name}`, other: name }[kind];
}
