import { Type } from "@sinclair/typebox";
import { ApiClient, ApiRevoked, toApiClient, toApiRevoked } from "../../api/client.ts";
import { toApiPage } from "../../api/page.ts";
import { NotFound } from "../../api/problem.ts";
import { normaliseAddress } from "../../lib/ip-address.ts";
import { Input, NameText, readRange } from "./request.ts";
import { createRoutes, describeList, describeRoute } from "./route.ts";
import type { AdminServices } from "./services.ts";

const UNKNOWN = { status: "not found", reason: "there is no such client" };

/** The routes that list and revoke clients. */
export function clients({ store, operator }: AdminServices) {
  return createRoutes()
    .get(
      "/api/clients",
      async ({ query }) =>
        toApiPage(await store.listClients(query.source ?? null, readRange(query)), toApiClient),
      describeList("clients", "List clients, the last authorised first", ApiClient, {
        source: Type.Optional(NameText),
      }),
    )
    .delete(
      "/api/clients/:address",
      async ({ params, query, status }) => {
        const address = normaliseAddress(params.address);
        const revoked = address === null ? [] : await operator.revoke(address, query.source ?? null);
        return revoked.length === 0 ? status(404, UNKNOWN) : toApiRevoked(revoked);
      },
      {
        params: Type.Object({ address: NameText }),
        ...describeRoute("clients", "Revoke an address at one source, or at all sources", {
          200: ApiRevoked,
          404: NotFound,
        }),
        query: Input({ source: Type.Optional(NameText) }),
      },
    );
}
