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

const StoredClientShape = Type.Object({ id: Id, ...ClientShape.properties });

/** Describes a client as JSON. */
function describeClient({ address, source, authorisedAt, expiresAt }: Client): Static<typeof ClientShape> {
  return {
    address,
    source,
    authorised_at: authorisedAt.toISOString(),
    expires_at: expiresAt.toISOString(),
  };
}

function describeStored(client: StoredClient): Static<typeof StoredClientShape> {
  return { id: client.id, ...describeClient(client) };
}

const UNKNOWN = { status: "not found", reason: "there is no such client" } as const;

/** The routes that list clients and revoke them. */
export function clients({ store, operator }: AdminServices) {
  return createRoutes()
    .get(
      "/api/clients",
      async ({ query }) =>
        describePage(await store.listClients(query.source ?? null, readRange(query)), describeStored),
      {
        query: Input({ source: Type.Optional(NameText), ...PAGE_QUERY }),
        response: { 200: pageOf(StoredClientShape), ...COMMON_PROBLEMS },
        detail: { tags: ["clients"], summary: "List clients, the last authorised first" },
      },
    )
    .delete(
      "/api/clients/:address",
      async ({ params, query, status }) => {
        const address = normaliseAddress(params.address);
        const revoked = address === null ? [] : await operator.revoke(address, query.source ?? null);
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
        detail: { tags: ["clients"], summary: "Revoke an address, at one source or at all" },
      },
    );
}
