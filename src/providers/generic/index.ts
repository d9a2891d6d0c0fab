import type { SourceHandler, TypedProvider } from "../../domain/provider.ts";
import { composeRequest } from "./compose.ts";
import { createHandshake } from "./handshake.ts";
import {
  checkOptions,
  GenericOptions,
  type GenericSettings,
  type Method,
  requiredMethods,
} from "./options.ts";
import { readPayload } from "./read.ts";
import { createRequestVerifier } from "./verify.ts";

const DAY = 86_400_000;

/**
 * Any sender of JSON that can show a token or a password or sign the body. Where nothing else is set, a GET with the
 * verify token admits the sender's address, whose POSTs are then accepted for `client_timeout`, a day unless told
 * otherwise.
 */
export const generic: TypedProvider<typeof GenericOptions> = {
  name: "generic",
  summary: "any JSON, from senders that show a token or a password, or sign it",
  options: GenericOptions,
  generatedSecret: "verify_token",
  needsGeneratedSecret: (settings) => requires(settings, "client"),
  checkOptions: checkOptions,
  reportsPushes: false,
  cloneUrl: () => null,
  createHandler: openDialect,
  createHandlerWithSecret: (secret) => openDialect({ verify_token: secret }),
};

function openDialect(settings: GenericSettings): SourceHandler {
  const {
    verify_token: token = null,
    client_timeout: lifetime = DAY,
    client_prefix_v6: prefixV6 = 128,
  } = settings;
  return {
    contentTypes: ["application/json"],
    storedHeaders: [],
    answersSuccess: true,
    usesGuessableSecrets: requires(settings, "bearer") || requires(settings, "basic"),
    handshake: requires(settings, "client") ? createHandshake(token, { lifetime, prefixV6 }) : null,
    verify: createRequestVerifier(settings),
    parse: readPayload,
    compose: (message) => composeRequest(message, settings),
  };
}

function requires(settings: GenericSettings, method: Method): boolean {
  return requiredMethods(settings).includes(method);
}
