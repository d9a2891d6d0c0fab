import { type Static, Type } from "@sinclair/typebox";
import { DELIVERY_STATUSES, type Delivery, type DeliverySummary } from "../../domain/delivery.ts";
import type { Event, Ref } from "../../domain/event.ts";
import type { Source } from "../../domain/source.ts";
import { describeLocksOf } from "../../flow/locks.ts";
import { parseStoredDelivery } from "../../flow/replay.ts";
import { describeAcceptOutcome } from "../responses.ts";
import { DeploymentState } from "./deployments.ts";
import { JSON_BODY } from "./json-body.ts";
import { describePage, PAGE_QUERY, pageOf, readRange } from "./page.ts";
import {
  COMMON_PROBLEMS,
  Conflict,
  createRoutes,
  Id,
  IdText,
  Input,
  NameText,
  NO_QUERY,
  NotFound,
  oneOf,
  orNull,
  Time,
} from "./schema.ts";
import type { AdminServices } from "./services.ts";

const EVENTS = ["ping", "push", "other"] as const satisfies readonly Event["kind"][];

const EventKind = oneOf(EVENTS);

const Status = oneOf(DELIVERY_STATUSES);

/** One webhook request that was kept, without its body. */
const DeliveryShape = Type.Object({
  id: Id,
  source: Type.String(),
  event: EventKind,
  status: Status,
  reason: orNull(Type.String()),
  received_at: Time,
  client: Type.String(),
  provider_id: orNull(Type.String()),
  redelivery_of: orNull(Id),
  replay_of: orNull(Id),
  headers: Type.Record(Type.String(), Type.String()),
  decisions: Type.Array(
    Type.Object({ target: Type.String(), deploy: Type.Boolean(), reason: orNull(Type.String()) }),
  ),
  deployments: Type.Array(Id),
  outcomes: Type.Array(
    Type.Object({
      deployment: Id,
      target: Type.String(),
      state: DeploymentState,
      reason: orNull(Type.String()),
    }),
  ),
});

/** What was pushed, as its source reads it today. */
const Pushed = Type.Object({
  repository: Type.String(),
  ref: Type.String({ description: "the full name, such as refs/heads/main" }),
  commit: orNull(Type.String()),
});

const WholeDelivery = Type.Object({
  ...DeliveryShape.properties,
  pushed: orNull(Pushed),
  body: Type.String(),
});

/** The answer that the delivery's sender would have got. */
const Replayed = Type.Object({
  status: Type.String(),
  delivery: Id,
  deployments: Type.Optional(Type.Array(Type.Object({ id: Id, target: Type.String() }))),
  reason: Type.Optional(Type.String()),
});

/** The one map from a delivery to its JSON. */
function describeDelivery(delivery: DeliverySummary): Static<typeof DeliveryShape> {
  return {
    id: delivery.id,
    source: delivery.source,
    event: delivery.event,
    status: delivery.status,
    reason: delivery.reason,
    received_at: delivery.receivedAt.toISOString(),
    client: delivery.client,
    provider_id: delivery.identity?.id ?? null,
    redelivery_of: delivery.redeliveryOf,
    replay_of: delivery.replayOf,
    headers: { ...delivery.headers },
    decisions: delivery.decisions.map(({ target, deploy, reason }) => ({ target, deploy, reason })),
    deployments: [...delivery.deployments],
    outcomes: delivery.outcomes.map(({ deployment, target, state, reason }) => ({
      deployment,
      target,
      state,
      reason,
    })),
  };
}

/** Null where it tells of no push, or where its source is gone or reads it no more. */
function describePushed(delivery: Delivery, sources: readonly Source[]): Static<typeof Pushed> | null {
  const reading = parseStoredDelivery(delivery, sources)?.reading;
  if (!reading?.ok || reading.event.kind !== "push") return null;
  const { repository, ref, commit } = reading.event;
  return { repository, ref: nameRef(ref), commit };
}

/** A kept body is UTF-8, as it was decoded before it was kept; a byte order mark stays. */
function decodeBody(body: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(body);
}

/** The full name again. */
function nameRef({ kind, name }: Ref): string {
  return { branch: `refs/heads/${name}`, tag: `refs/tags/${name}`, other: name }[kind];
}

const PARAMS = Type.Object({ id: IdText });
const UNKNOWN = { status: "not found", reason: "there is no such delivery" } as const;

/** Looking at deliveries, and running them again. */
export function deliveries({ store, clock, sources, replay }: AdminServices) {
  return createRoutes()
    .get(
      "/api/deliveries",
      async ({ query }) => {
        const { source = null, status = null, target = null } = query;
        const page = await store.listDeliveries({ source, status, target }, readRange(query));
        const items = await describeLocksOf(page.items, { store, clock });
        return describePage({ ...page, items }, describeDelivery);
      },
      {
        query: Input({
          source: Type.Optional(NameText),
          status: Type.Optional(Status),
          target: Type.Optional(NameText),
          ...PAGE_QUERY,
        }),
        response: { 200: pageOf(DeliveryShape), ...COMMON_PROBLEMS },
        detail: { tags: ["deliveries"], summary: "List deliveries, newest first" },
      },
    )
    .get(
      "/api/deliveries/:id",
      async ({ params, status }) => {
        const delivery = await store.readDelivery(Number(params.id));
        if (delivery === null) return status(404, UNKNOWN);
        const kept = { ...delivery, outcomes: await store.readOutcomes(delivery.id) };
        const [told = kept] = await describeLocksOf([kept], { store, clock });
        const pushed = describePushed(delivery, sources);
        return { ...describeDelivery(told), pushed, body: decodeBody(delivery.body) };
      },
      {
        params: PARAMS,
        query: NO_QUERY,
        response: { 200: WholeDelivery, 404: NotFound, ...COMMON_PROBLEMS },
        detail: { tags: ["deliveries"], summary: "Show a delivery, its body and what became of it" },
      },
    )
    .post(
      "/api/deliveries/:id/replay",
      async ({ params, status }) => {
        const outcome = await replay(Number(params.id));
        if (outcome.kind === "unknown delivery") return status(404, UNKNOWN);
        if (outcome.kind === "unreadable")
          return status(409, { status: "not replayable", reason: outcome.reason });
        const { code, body } = describeAcceptOutcome(outcome);
        return status(code, body);
      },
      {
        params: PARAMS,
        query: NO_QUERY,
        parse: JSON_BODY,
        body: Input({}),
        response: { 200: Replayed, 202: Replayed, 404: NotFound, 409: Conflict, ...COMMON_PROBLEMS },
        detail: { tags: ["deliveries"], summary: "Run a delivery again, as today's configuration says" },
      },
    );
}
