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
import { isObject, SecretList } from "../forge.ts";
import {
  checkSignature,
  refuseSignature,
  requireSecret,
  type SignatureStyle,
  writeSignature,
} from "../hmac.ts";
import { decodeJsonBody, invalid } from "../json.ts";
import { checkSignedTime, writeSignedTime } from "../signed-time.ts";

const SIGNATURE = "x-slack-signature";
const TIMESTAMP = "x-slack-request-timestamp";
const STYLE: SignatureStyle = { algorithm: "sha256", encoding: "hex", prefix: "v0=" };

const options = TableSetting(
  { secrets: SecretList },
  {
    secrets:
      "Signing secrets of the app, as Slack shows them. Any of them verifies, so that one can be rotated.",
  },
);

const Verification = Type.Object({
  type: Type.Literal("url_verification"),
  // One short line, because it is echoed.
  challenge: Type.String({ pattern: "^[ -~]{1,1024}$" }),
});
const Identified = Type.Object({ event_id: Type.String({ pattern: "^[!-~]{1,128}$" }) });
const Named = Type.Object({ event: Type.Object({ type: Type.String({ pattern: "^[\\w.]{1,100}$" }) }) });
const verification = createLazyValidator(Verification);
const identified = createLazyValidator(Identified);
const named = createLazyValidator(Named);

/** The Events API of Slack. Source: https://docs.slack.dev/authentication/verifying-requests-from-slack */
export const slack: Provider<StaticDecode<typeof options>> = {
  name: "slack",
  summary: "events of Slack apps, signed with the app's secret",
  options,
  generatedSecret: "secrets",
  needsGeneratedSecret: () => false,
  formatSecret: (bytes) => bytes.toString("hex"),
  checkOptions: () => [],
  reportsPushes: false,
  hasNestedRepositories: true,
  onRedelivery: "skip",
  cloneUrl: () => null,
  webhookForm: ({ url }) => ({
    sender: "Slack",
    page: "the app's Event Subscriptions",
    fields: [["Request URL", url]],
    issuedSecret: "Signing Secret (under Basic Information)",
  }),
  createHandler: ({ secrets }) => createHandler(secrets),
  createHandlerWithSecret: (secret) => createHandler([secret]),
};

function createHandler(secrets: readonly Secret[]): SourceHandler {
  return {
    contentTypes: ["application/json"],
    storedHeaders: ["x-slack-retry-num", "x-slack-retry-reason"],
    credentialHeaders: [SIGNATURE],
    idHeaders: [],
    signatureHeader: "X-Slack-Signature",
    answersSuccess: true,
    usesGuessableSecrets: false,
    repeatedBody: "new",
    handshake: null,
    verify: (request, _client, now) => verifyRequest(request, secrets, now),
    parse: readDelivery,
    compose(message, { path, query, now }) {
      if (message.form)
        throw new AppError("configuration", "the source accepts only JSON; send it without --form");
      const secret = requireSecret(secrets, "slack");
      const time = writeSignedTime(now);
      const sample = { type: "event_callback", event_id: message.deliveryId, event: { type: message.kind } };
      const body = message.kind === "payload" ? message.json : Buffer.from(JSON.stringify(sample));
      const headers = new Headers({
        "content-type": "application/json",
        [TIMESTAMP]: time,
        [SIGNATURE]: writeSignature(secret.reveal(), [`v0:${time}:`, body], STYLE),
      });
      return { method: "POST", path, query, headers, body };
    },
  };
}

function verifyRequest({ headers, body }: RawRequest, secrets: readonly Secret[], now: Date): VerifyResult {
  const shown = headers.get(SIGNATURE);
  const time = headers.get(TIMESTAMP);
  if (shown === null || time === null) return refuseSignature("signature_missing");
  const code = checkSignedTime(time, now);
  if (code !== null) return refuseSignature(code);
  return checkSignature(shown, [`v0:${time}:`, body], secrets, STYLE);
}

/** Slack tests the URL with a challenge. Each event has an id, which retries repeat. */
function readDelivery({ body }: Payload): ParseResult {
  const decoded = decodeJsonBody(body);
  if (decoded.kind === "unreadable") return decoded;
  const { text: json, value } = decoded;
  if (verification().Check(value)) return { kind: "challenge", text: value.challenge };
  if (isObject(value) && value.type === "url_verification")
    return invalid("the challenge is not one short line");
  const name = named().Check(value) ? value.event.type : "payload";
  const identity = identified().Check(value) ? { id: value.event_id, hook: null } : null;
  return { kind: "parsed", events: [{ kind: "other", name }], json, identity };
}
