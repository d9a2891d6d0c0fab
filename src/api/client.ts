import { type Static, Type } from "@sinclair/typebox";
import type { Client, StoredClient } from "../domain/client.ts";
import { Id, Time } from "./schema.ts";

const CLIENT = {
  address: Type.String(),
  source: Type.String({ description: "the source that it may POST to" }),
  authorised_at: Time,
  expires_at: Time,
};

/** A client in a list. */
export const ApiClient = Type.Object({
  id: Type.Integer({ ...Id, description: "increases each time that the client is authorised" }),
  ...CLIENT,
});
export type ApiClient = Static<typeof ApiClient>;

/** The clients that a request revoked. */
export const ApiRevoked = Type.Object({
  status: Type.Literal("revoked"),
  clients: Type.Array(Type.Object(CLIENT)),
});
export type ApiRevoked = Static<typeof ApiRevoked>;

/** A stored client as JSON. */
export function toApiClient(client: StoredClient): ApiClient {
  return { id: client.id, ...toFields(client) };
}

/** Revoked clients as JSON. */
export function toApiRevoked(clients: readonly Client[]): ApiRevoked {
  return { status: "revoked", clients: clients.map(toFields) };
}

function toFields({ address, source, authorisedAt, expiresAt }: Client) {
  return {
    address,
    source,
    authorised_at: authorisedAt.toISOString(),
    expires_at: expiresAt.toISOString(),
  };
}
