import { Type } from "@sinclair/typebox";
import {
  ApiDelivery,
  ApiDeliveryDetails,
  ApiReceipt,
  toApiDelivery,
  toApiDeliveryDetails,
} from "../../api/delivery.ts";
import { toApiPage } from "../../api/page.ts";
import { Conflict, NotFound } from "../../api/problem.ts";
import { DELIVERY_STATUSES, type Delivery } from "../../domain/delivery.ts";
import type { Event } from "../../domain/event.ts";
import type { Source } from "../../domain/source.ts";
import { describeLocksOf } from "../../flow/locks.ts";
import { parseStoredDelivery } from "../../flow/replay.ts";
import { toReceiptResponse } from "../responses.ts";
import { choiceOf, IdText, jsonBody, NameText, readRange } from "./request.ts";
import { createRoutes, describeList, describeRoute } from "./route.ts";
import type { AdminServices } from "./services.ts";

const params = Type.Object({ id: IdText });
const UNKNOWN = { status: "not found", reason: "there is no such delivery" };

/** The routes that show and replay deliveries. */
export function deliveries({ store, clock, sources, replay }: AdminServices) {
  return createRoutes()
    .get(
      "/api/deliveries",
      async ({ query }) => {
        const { source = null, status = null, target = null } = query;
        const page = await store.listDeliveries({ source, status, target }, readRange(query));
        const items = await describeLocksOf(page.items, { store, clock });
        return toApiPage({ ...page, items }, toApiDelivery);
      },
      describeList("deliveries", "List deliveries, newest first", ApiDelivery, {
        source: Type.Optional(NameText),
        status: Type.Optional(choiceOf(DELIVERY_STATUSES)),
        target: Type.Optional(NameText),
      }),
    )
    .get(
      "/api/deliveries/:id",
      async ({ params, status }) => {
        const delivery = await store.readDelivery(Number(params.id));
        if (delivery === null) return status(404, UNKNOWN);
        const summary = { ...delivery, outcomes: await store.readOutcomes(delivery.id) };
        const [described = summary] = await describeLocksOf([summary], { store, clock });
        return toApiDeliveryDetails(described, delivery.body, findEvents(delivery, sources));
      },
      {
        params,
        ...describeRoute("deliveries", "Show a delivery with its body and its outcomes", {
          200: ApiDeliveryDetails,
          404: NotFound,
        }),
      },
    )
    .post(
      "/api/deliveries/:id/replay",
      async ({ params, status }) => {
        const outcome = await replay(Number(params.id));
        if (outcome.kind === "unknown delivery") return status(404, UNKNOWN);
        if (outcome.kind === "unreadable") {
          return status(409, { status: "not replayable", reason: outcome.reason });
        }
        const { code, receipt } = toReceiptResponse(outcome);
        return status(code, receipt);
      },
      {
        params,
        ...jsonBody({}),
        ...describeRoute("deliveries", "Replay a delivery with the current configuration", {
          200: ApiReceipt,
          202: ApiReceipt,
          404: NotFound,
          409: Conflict,
        }),
      },
    );
}

/** The events of a delivery; none if its source cannot parse it any more. */
function findEvents(delivery: Delivery, sources: readonly Source[]): readonly Event[] {
  const parsed = parseStoredDelivery(delivery, sources)?.parsed;
  return parsed?.kind === "parsed" ? parsed.events : [];
}
