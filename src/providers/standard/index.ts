import { type Static, type StaticDecode, Type } from "@sinclair/typebox";
import type { ParseResult, Payload, Provider, SourceHandler } from "../../domain/provider.ts";
import { AppError } from "../../lib/errors.ts";
import { createLazyValidator, TableSetting } from "../../lib/schema.ts";
import type { Secret } from "../../lib/secret.ts";
import { formField, readId, SecretList } from "../forge.ts";
import { decodeJsonBody } from "../json.ts";
import {
  checkStandardSecrets,
  formatStandardSecret,
  STANDARD_CREDENTIALS,
  STANDARD_HEADERS,
  signStandard,
  verifyStandard,
} from "../standard-signature.ts";

const options = TableSetting(
  { secrets: Type.Optional(SecretList) },
  {
    secrets:
      "Secrets as `whsec_` and base64, or public keys as `whpk_` and base64. Any of them verifies, so that one can be rotated. Default: one generated secret.",
  },
);

/** The id that is signed, and that the same delivery is recognised by: the first of these headers. */
const ID_HEADERS = ["webhook-id", "svix-id"];

/** Events have a dotted type in the body. */
const Typed = Type.Object({ type: Type.String({ pattern: "^[\\w.-]{1,100}$" }) });
const typed = createLazyValidator(Typed);

/** Any sender that follows Standard Webhooks: Svix, OpenAI, other hooklatch servers. */
export const standard: Provider<StaticDecode<typeof options>> = {
  name: "standard",
  summary: "senders that follow Standard Webhooks, such as Svix, OpenAI and the notifications of hooklatch",
  options,
  generatedSecret: "secrets",
  needsGeneratedSecret: () => true,
  formatSecret: formatStandardSecret,
  checkOptions: ({ secrets = [] }) => checkStandardSecrets("secrets", secrets),
  reportsPushes: false,
  hasNestedRepositories: true,
  onRedelivery: "skip",
  cloneUrl: () => null,
  webhookForm: ({ url, secrets }) => ({
    sender: "the sender",
    page: "its webhook settings",
    fields: [["URL", url], ...formField("Secret", secrets.secrets)],
  }),
  createHandler: ({ secrets = [] }) => createHandler(secrets),
  createHandlerWithSecret: (secret) => createHandler([secret]),
};

function createHandler(secrets: readonly Secret[]): SourceHandler {
  return {
    contentTypes: ["application/json"],
    storedHeaders: [...STANDARD_HEADERS, "svix-id", "svix-timestamp"],
    credentialHeaders: [...STANDARD_CREDENTIALS, "svix-signature"],
    idHeaders: ID_HEADERS,
    signatureHeader: "webhook-signature",
    answersSuccess: true,
    usesGuessableSecrets: false,
    repeatedBody: "new",
    handshake: null,
    verify(request, _client, now) {
      const prefix = ID_HEADERS.find((name) => request.headers.has(name)) === "svix-id" ? "svix" : "webhook";
      return verifyStandard(request, secrets, now, prefix);
    },
    parse: readDelivery,
    compose(message, { path, query, now }) {
      if (message.form)
        throw new AppError("configuration", "the source accepts only JSON; send it without --form");
      const body =
        message.kind === "payload" ? message.json : Buffer.from(JSON.stringify(describe(message, now)));
      const signed = signStandard(message.deliveryId, body, secrets, now);
      if (signed === null)
        throw new AppError("configuration", "the source has no shared secret to sign with");
      const headers = new Headers({
        "content-type": "application/json",
        "user-agent": "hooklatch",
        ...signed,
      });
      return { method: "POST", path, query, headers, body };
    },
  };
}

function describe(
  { kind, deliveryId: _, form: __, ...data }: { kind: string; deliveryId: string; form: boolean },
  now: Date,
) {
  return { type: kind, timestamp: now.toISOString(), data };
}

function readDelivery({ headers, body }: Payload): ParseResult {
  const id = readId(headers, ...ID_HEADERS);
  if (id.kind === "unreadable") return id;
  const decoded = decodeJsonBody(body);
  if (decoded.kind === "unreadable") return decoded;
  return {
    kind: "parsed",
    events: [{ kind: "other", name: nameOf(decoded.value) }],
    json: decoded.text,
    identity: { id: id.id, hook: null },
  };
}

function nameOf(payload: unknown): string {
  return typed().Check(payload) ? (payload as Static<typeof Typed>).type : "payload";
}
