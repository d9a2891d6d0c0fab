import type { Dialect, ProviderWith } from "../domain/provider.ts";
import { checkSettings } from "./generic/check.ts";
import { composeRequest } from "./generic/compose.ts";
import { openHandshake } from "./generic/handshake.ts";
import { readPayload } from "./generic/read.ts";
import { GenericOptions, type GenericSettings, type Method, requiredMethods } from "./generic/settings.ts";
import { openChecks } from "./generic/verify.ts";

const DAY = 86_400_000;

/**
 * Any sender of JSON that can show a token or a password or sign the body. Where nothing else is set, a GET with the
 * verify token admits the sender's address, whose POSTs are then accepted for `client_timeout`, a day unless told
 * otherwise.
 */
export const generic: ProviderWith<typeof GenericOptions> = {
  name: "generic",
  summary: "any JSON, from senders that show a token or a password, or sign it",
  options: GenericOptions,
  generatedSecret: "verify_token",
  generates: (settings) => requires(settings, "client"),
  check: checkSettings,
  tellsPushes: false,
  cloneUrl: () => null,
  open: openDialect,
  openWith: (secret) => openDialect({ verify_token: secret }),
};

function openDialect(settings: GenericSettings): Dialect {
  const {
    verify_token: token = null,
    client_timeout: lifetime = DAY,
    client_prefix_v6: prefixV6 = 128,
  } = settings;
  return {
    contentTypes: ["application/json"],
    keptHeaders: [],
    plain: true,
    guessable: requires(settings, "bearer") || requires(settings, "basic"),
    handshake: requires(settings, "client") ? openHandshake(token, { lifetime, prefixV6 }) : null,
    verify: openChecks(settings),
    read: readPayload,
    compose: (message) => composeRequest(message, settings),
  };
}

function requires(settings: GenericSettings, method: Method): boolean {
  return requiredMethods(settings).includes(method);
}
