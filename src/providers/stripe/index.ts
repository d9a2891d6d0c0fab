import { type StaticDecode, Type } from "@sinclair/typebox";
import type {
  ParseResult,
  Payload,
  Provider,
  RawRequest,
  SourceHandler,
  VerifyResult,
} from "../../domain/provider.ts";
import { AppError } from "../../lib/errors.ts";
import { createLazyValidator, TableSetting } from "../../lib/schema.ts";
import type { Secret } from "../../lib/secret.ts";
import { SecretList } from "../forge.ts";
import {
  checkSignature,
  refuseSignature,
  requireSecret,
  type SignatureStyle,
  writeSignature,
} from "../hmac.ts";
import { decodeJsonBody } from "../json.ts";
import { checkSignedTime, writeSignedTime } from "../signed-time.ts";

const HEADER = "stripe-signature";
const STYLE: SignatureStyle = { algorithm: "sha256", encoding: "hex", prefix: "v1=" };

const options = TableSetting(
  { secrets: SecretList },
  {
    secrets:
      "Signing secrets of the endpoint, as Stripe shows them (`whsec_…`). Any of them verifies, so that one can be rotated.",
  },
);

/** Every event has an id and a type, which the signature covers. */
const Event = Type.Object({
  id: Type.String({ pattern: "^[!-~]{1,128}$" }),
  type: Type.String({ pattern: "^[a-z0-9_.]{1,100}$" }),
});
const event = createLazyValidator(Event);

/** Webhooks of Stripe. Source: https://docs.stripe.com/webhooks#verify-manually */
export const stripe: Provider<StaticDecode<typeof options>> = {
  name: "stripe",
  summary: "Stripe webhooks, signed with the endpoint's secret",
  options,
  generatedSecret: "secrets",
  needsGeneratedSecret: () => false,
  formatSecret: (bytes) => `whsec_${bytes.toString("hex")}`,
  checkOptions: () => [],
  reportsPushes: false,
  hasNestedRepositories: true,
  onRedelivery: "skip",
  cloneUrl: () => null,
  webhookForm: ({ url }) => ({
    sender: "Stripe",
    page: "Workbench > Webhooks > Add destination",
    fields: [["Endpoint URL", url]],
    issuedSecret: "Signing secret",
  }),
  createHandler: ({ secrets }) => createHandler(secrets),
  createHandlerWithSecret: (secret) => createHandler([secret]),
};

function createHandler(secrets: readonly Secret[]): SourceHandler {
  return {
    contentTypes: ["application/json"],
    storedHeaders: [],
    credentialHeaders: [HEADER],
    idHeaders: [],
    signatureHeader: "Stripe-Signature",
    answersSuccess: true,
    usesGuessableSecrets: false,
    repeatedBody: "new",
    handshake: null,
    verify: (request, _client, now) => verifyRequest(request, secrets, now),
    parse: readDelivery,
    compose(message, { path, query, now }) {
      if (message.form) throw new AppError("configuration", "Stripe sends only JSON; send it without --form");
      const secret = requireSecret(secrets, "stripe");
      const time = writeSignedTime(now);
      const sample = {
        id: `evt_${message.deliveryId}`,
        object: "event",
        type: `hooklatch.${message.kind}`,
        data: {},
      };
      const body = message.kind === "payload" ? message.json : Buffer.from(JSON.stringify(sample));
      // The key is the whole text, with its prefix.
      const signature = writeSignature(secret.reveal(), [`${time}.`, body], STYLE);
      const headers = new Headers({ "content-type": "application/json", [HEADER]: `t=${time},${signature}` });
      return { method: "POST", path, query, headers, body };
    },
  };
}

/** `t=<Unix seconds>,v1=<hex>`, with any number of further signatures. Only `v1` counts. */
function verifyRequest({ headers, body }: RawRequest, secrets: readonly Secret[], now: Date): VerifyResult {
  const header = headers.get(HEADER);
  if (header === null) return refuseSignature("signature_missing");
  const parts = header.split(",");
  // Two headers arrive joined by `, `.
  const [time, ...others] = parts.filter((part) => part.trim().startsWith("t="));
  if (time === undefined || others.length > 0) return refuseSignature("signature_mismatch");
  const text = time.slice(2);
  const code = checkSignedTime(text, now);
  if (code !== null) return refuseSignature(code);
  return checkSignature(parts, [`${text}.`, body], secrets, STYLE);
}

function readDelivery({ body }: Payload): ParseResult {
  const decoded = decodeJsonBody(body);
  if (decoded.kind === "unreadable") return decoded;
  const { text: json, value } = decoded;
  if (!event().Check(value)) {
    return { kind: "parsed", events: [{ kind: "other", name: "payload" }], json, identity: null };
  }
  return {
    kind: "parsed",
    events: [{ kind: "other", name: value.type }],
    json,
    identity: { id: value.id, hook: null },
  };
}
