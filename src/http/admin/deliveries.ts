import { type Static, Type } from "@sinclair/typebox";
import { DECISION_CODES } from "../../domain/codes.ts";
import { DELIVERY_STATUSES, type Delivery, type DeliverySummary } from "../../domain/delivery.ts";
import { describeResult } from "../../domain/deployment-result.ts";
import type { Event, Ref } from "../../domain/event.ts";
import type { Source } from "../../domain/source.ts";
import { describeLocksOf } from "../../flow/locks.ts";
import { parseStoredDelivery } from "../../flow/replay.ts";
import { describeAcceptOutcome } from "../responses.ts";
import { DeploymentState, ResultCodeShape } from "./deployments.ts";
import { JSON_BODY } from "./json-body.ts";
import { describePage, PAGE_QUERY, pageOf, readRange } from "./page.ts";
import {
  COMMON_PROBLEMS,
  Conflict,
  codeOf,
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

/** One stored webhook request, without its body. */
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
    Type.Object({
      target: Type.String(),
      deploy: Type.Boolean(),
      code: orNull(codeOf(DECISION_CODES)),
      reason: orNull(Type.String()),
    }),
    { description: "of the targets that the event is about" },
  ),
  other_targets: Type.Integer({ description: "how many other targets listen to the source" }),
  deployments: Type.Array(Id),
  outcomes: Type.Array(
    Type.Object({
      deployment: Id,
      target: Type.String(),
      state: DeploymentState,
      code: orNull(ResultCodeShape),
      reason: orNull(Type.String()),
    }),
  ),
});

/** What was pushed, as its source parses it now. */
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

/** The response that the delivery's sender would have got. */
const Replayed = Type.Object({
  status: Type.String(),
  delivery: Id,
  deployments: Type.Optional(Type.Array(Type.Object({ id: Id, target: Type.String() }))),
  reason: Type.Optional(Type.String()),
});

/** Describes a delivery as JSON. */
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
    decisions: delivery.decisions.map(({ target, deploy, code, reason }) => ({
      target,
      deploy,
      code,
      reason,
    })),
    other_targets: delivery.otherTargets,
    deployments: [...delivery.deployments],
    outcomes: delivery.outcomes.map((outcome) => {
      const { deployment, target, state, code } = outcome;
      return { deployment, target, state, code, reason: describeResult(outcome) };
    }),
  };
}

/** Null for other events, and where its source is no longer configured or cannot parse it. */
function describePushed(delivery: Delivery, sources: readonly Source[]): Static<typeof Pushed> | null {
  const parsed = parseStoredDelivery(delivery, sources)?.parsed;
  if (parsed?.kind !== "parsed" || parsed.event.kind !== "push") return null;
  const { repository, ref, commit } = parsed.event;
  return { repository, ref: nameRef(ref), commit };
}

/** A stored body is UTF-8: it was parsed before it was stored. A byte order mark stays. */
function decodeBody(body: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(body);
}

/** The full name of a ref. */
function nameRef({ kind, name }: Ref): string {
  return { branch: `refs/heads/${name}`, tag: `refs/tags/${name}`, other: name }[kind];
}

const PARAMS = Type.Object({ id: IdText });
const UNKNOWN = { status: "not found", reason: "there is no such delivery" } as const;

/** The routes that show deliveries and replay them. */
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
        const summary = { ...delivery, outcomes: await store.readOutcomes(delivery.id) };
        const [described = summary] = await describeLocksOf([summary], { store, clock });
        const pushed = describePushed(delivery, sources);
        return { ...describeDelivery(described), pushed, body: decodeBody(delivery.body) };
      },
      {
        params: PARAMS,
        query: NO_QUERY,
        response: { 200: WholeDelivery, 404: NotFound, ...COMMON_PROBLEMS },
        detail: { tags: ["deliveries"], summary: "Show a delivery, its body and its outcome" },
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
        detail: { tags: ["deliveries"], summary: "Replay a delivery with the present configuration" },
      },
    );
}
