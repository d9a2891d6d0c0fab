import { Type } from "@sinclair/typebox";
import { type Client, hasExpired } from "../domain/client.ts";
import type { Dialect, ProviderWith, Verdict } from "../domain/provider.ts";
import type { Secret } from "../domain/secret.ts";
import { Duration, SecretReference } from "../domain/setting.ts";
import { composeRequest } from "./generic/compose.ts";
import { openHandshake } from "./generic/handshake.ts";
import { readPayload } from "./generic/read.ts";

const DAY = 86_400_000;

const options = Type.Object({
  verify_token: Type.Optional(SecretReference),
  client_timeout: Type.Optional(Duration),
});

/**
 * Any sender that can show a token: a GET with it admits the sender's address, whose POSTs of JSON are then
 * accepted for `client_timeout`, a day unless told otherwise. Nothing is signed: a forge that can sign deserves a
 * provider of its own.
 */
export const generic: ProviderWith<typeof options> = {
  name: "generic",
  summary: "any JSON, from addresses that showed the verify token",
  options,
  generatedSecret: "verify_token",
  tellsPushes: false,
  cloneUrl: () => null,
  open: ({ verify_token: token = null, client_timeout: lifetime = DAY }) => openDialect(token, lifetime),
  openWith: (secret) => openDialect(secret, DAY),
};

function openDialect(token: Secret | null, lifetime: number): Dialect {
  return {
    contentTypes: ["application/json"],
    keptHeaders: [],
    handshake: openHandshake(token, lifetime),
    verify: (_request, client, now) => admit(client, now),
    read: readPayload,
    compose: composeRequest,
  };
}

function admit(client: Client | null, now: Date): Verdict {
  if (client === null) return { ok: false, refusal: "not authorised" };
  if (hasExpired(client, now)) return { ok: false, refusal: "authorisation timeout" };
  return { ok: true };
}
