import type { Provider, SourceHandler } from "../../domain/provider.ts";
import { checkOptions } from "./check-options.ts";
import { composeRequest } from "./compose.ts";
import { describeCredentials } from "./describe-credentials.ts";
import { createHandshake } from "./handshake.ts";
import {
  credentialHeadersOf,
  GenericOptions,
  type GenericSettings,
  type Method,
  OPTION_VARIABLES,
  requiredMethods,
} from "./options.ts";
import { readPayload } from "./read.ts";
import { createRequestVerifier } from "./verify.ts";

const DAY = 86_400_000;

/**
 * Any sender of JSON that shows a token or a password, or signs the body. By default a GET with the verify token
 * authorises the sender's address to POST for `client_timeout`, by default one day.
 */
export const generic: Provider<GenericSettings> = {
  name: "generic",
  summary: "any JSON, from senders that show a token or a password, or sign it",
  options: GenericOptions,
  generatedSecret: "verify_token",
  needsGeneratedSecret: (settings) => requires(settings, "client"),
  formatSecret: (bytes) => bytes.toString("hex"),
  checkOptions,
  hasReadingSenders: true,
  reportsPushes: false,
  hasNestedRepositories: true,
  onRedelivery: "run",
  cloneUrl: () => null,
  webhookForm: null,
  defaultSource: { name: "webhook", path: "/webhook", secretVariable: "WEBHOOK_VERIFY_TOKEN" },
  variables: OPTION_VARIABLES,
  createHandler,
  createHandlerWithSecret: (secret) => createHandler({ verify_token: secret }),
};

function createHandler(settings: GenericSettings): SourceHandler {
  const {
    verify_token: token = null,
    client_timeout: lifetime = DAY,
    client_prefix_v6: prefixV6 = 128,
  } = settings;
  return {
    contentTypes: ["application/json", "application/*+json", ...(settings.content_types ?? [])],
    storedHeaders: settings.id_header === undefined ? [] : [settings.id_header.toLowerCase()],
    credentialHeaders: credentialHeadersOf(settings),
    idHeaders: settings.id_header === undefined ? [] : [settings.id_header],
    signatureHeader: settings.hmac?.header ?? null,
    answersSuccess: true,
    repeatedBody: settings.hmac?.signed?.includes("{id}") ? "new" : "duplicate",
    usesGuessableSecrets: (["query", "header", "bearer", "basic"] as const).some((method) =>
      requires(settings, method),
    ),
    handshake: requires(settings, "client") ? createHandshake(token, { lifetime, prefixV6 }) : null,
    verify: createRequestVerifier(settings),
    parse: (payload) => readPayload(payload, settings.id_header),
    describeCredentials: () => describeCredentials(settings),
    compose: (message, destination) => composeRequest(message, settings, destination),
  };
}

function requires(settings: GenericSettings, method: Method): boolean {
  return requiredMethods(settings).includes(method);
}
