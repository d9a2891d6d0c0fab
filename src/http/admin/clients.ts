import { type Static, Type } from "@sinclair/typebox";
import type { Client, StoredClient } from "../../domain/client.ts";
import { normaliseAddress } from "../../lib/ip-address.ts";
import { describePage, PAGE_QUERY, pageOf, readRange } from "./page.ts";
import { COMMON_PROBLEMS, createRoutes, Id, Input, NameText, NotFound, Time } from "./schema.ts";
import type { AdminServices } from "./services.ts";

/** An address that may POST to a source for a while. */
const ClientShape = Type.Object({
  address: Type.String(),
  source: Type.String(),
  authorised_at: Time,
  expires_at: Time,
});

const KeptClientShape = Type.Object({ id: Id, ...ClientShape.properties });

/** The one map from a client to its JSON. */
function describeClient({ address, source, authorisedAt, expiresAt }: Client): Static<typeof ClientShape> {
  return {
    address,
    source,
    authorised_at: authorisedAt.toISOString(),
    expires_at: expiresAt.toISOString(),
  };
}

function describeKept(client: StoredClient): Static<typeof KeptClientShape> {
  return { id: client.id, ...describeClient(client) };
}

const UNKNOWN = { status: "not found", reason: "there is no such client" } as const;

/** Looking at clients, and forgetting them. */
export function clients({ store, steering }: AdminServices) {
  return createRoutes()
    .get(
      "/api/clients",
      async ({ query }) =>
        describePage(await store.listClients(query.source ?? null, readRange(query)), describeKept),
      {
        query: Input({ source: Type.Optional(NameText), ...PAGE_QUERY }),
        response: { 200: pageOf(KeptClientShape), ...COMMON_PROBLEMS },
        detail: { tags: ["clients"], summary: "List clients, those authorised last first" },
      },
    )
    .delete(
      "/api/clients/:address",
      async ({ params, query, status }) => {
        const address = normaliseAddress(params.address);
        const revoked = address === null ? [] : await steering.revoke(address, query.source ?? null);
        if (revoked.length === 0) return status(404, UNKNOWN);
        return status(200, { status: "revoked", clients: revoked.map(describeClient) });
      },
      {
        params: Type.Object({ address: NameText }),
        query: Input({ source: Type.Optional(NameText) }),
        response: {
          200: Type.Object({ status: Type.Literal("revoked"), clients: Type.Array(ClientShape) }),
          404: NotFound,
          ...COMMON_PROBLEMS,
        },
        detail: { tags: ["clients"], summary: "Forget an address, at one source or at all" },
      },
    );
}
