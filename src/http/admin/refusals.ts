import { Type } from "@sinclair/typebox";
import { toApiPage } from "../../api/page.ts";
import { ApiRefusal, toApiRefusal } from "../../api/refusal.ts";
import { NameText, readRange } from "./request.ts";
import { createRoutes, describeList } from "./route.ts";
import type { AdminServices } from "./services.ts";

/** The route that lists refused requests. */
export function refusals({ refusals }: AdminServices) {
  return createRoutes().get(
    "/api/refusals",
    ({ query }) => toApiPage(refusals.list(query.source ?? null, readRange(query)), toApiRefusal),
    describeList(
      "refusals",
      "List the latest 1,000 refused requests since the start, newest first",
      ApiRefusal,
      {
        source: Type.Optional(NameText),
      },
    ),
  );
}
