import { type StaticDecode, Type } from "@sinclair/typebox";
import type { Provider, RawRequest, SourceHandler, VerifyResult } from "../../domain/provider.ts";
import { TableSetting } from "../../lib/schema.ts";
import type { Secret } from "../../lib/secret.ts";
import { ForgeUrl, formField, isForm, joinUrl, pathOf, SECRETS, SecretList } from "../forge.ts";
import { readField } from "../form.ts";
import { checkSignature, refuseSignature } from "../hmac.ts";
import { composeDelivery, SIGNATURE_STYLE } from "./compose.ts";
import { FORKS, ID_HEADERS, readDelivery } from "./read.ts";

const options = TableSetting(
  { secrets: Type.Optional(SecretList), base_url: Type.Optional(ForgeUrl) },
  {
    secrets: SECRETS,
    base_url:
      'Address of the Gitea, Forgejo or Gogs, such as `"https://codeberg.org"`, for `clone_url`. Without it, every target needs a `clone_url`.',
  },
);

/**
 * Webhooks of Gitea, Forgejo and Gogs, signed with HMAC-SHA256 over the JSON.
 * Source: services/webhook/deliver.go of go-gitea/gitea; the documentation describes another signature of forms.
 */
export const gitea: Provider<StaticDecode<typeof options>> = {
  name: "gitea",
  summary: "Gitea, Forgejo and Gogs webhooks, signed with a shared secret",
  options,
  generatedSecret: "secrets",
  needsGeneratedSecret: () => true,
  formatSecret: (bytes) => bytes.toString("hex"),
  checkOptions: () => [],
  reportsPushes: true,
  reportsCi: () => true,
  hasNestedRepositories: false,
  onRedelivery: "run",
  cloneUrl: (repository, { base_url: base }) =>
    base === undefined ? null : joinUrl(base, `${repository}.git`),
  commitPath: (repository, { base_url: base }) => joinUrl(pathOf(base), `${repository}/commit/`),
  webhookForm: ({ url, secrets, waitsForCi }) => ({
    sender: "Gitea or Forgejo",
    page: "the repository's Settings > Webhooks > Add Webhook > Gitea (or Forgejo)",
    fields: [
      ["Target URL", url],
      ["HTTP Method", "POST"],
      ["POST Content Type", "application/json"],
      ...formField("Secret", secrets.secrets),
      [
        "Trigger On",
        waitsForCi
          ? "Custom Events: Push, Workflow Run (Forgejo: the Action Run events Success, Failure and Recover)"
          : "Push Events",
      ],
    ],
  }),
  createHandler: ({ secrets = [] }) => createHandler(secrets),
  createHandlerWithSecret: (secret) => createHandler([secret]),
};

function createHandler(secrets: readonly Secret[]): SourceHandler {
  return {
    contentTypes: ["application/json", "application/x-www-form-urlencoded"],
    storedHeaders: FORKS.flatMap((fork) => [`x-${fork}-event`, `x-${fork}-event-type`, `x-${fork}-delivery`]),
    credentialHeaders: [
      ...FORKS.map((fork) => `x-${fork}-signature`),
      "x-hub-signature",
      "x-hub-signature-256",
    ],
    idHeaders: ID_HEADERS,
    signatureHeader: "X-Gitea-Signature",
    answersSuccess: false,
    usesGuessableSecrets: false,
    // Each attempt has an id of its own, so that a body that is sent again is a redelivery.
    repeatedBody: "redelivery",
    handshake: null,
    verify: (request) => verifyRequest(request, secrets),
    parse: readDelivery,
    compose: (message, destination) => composeDelivery(message, secrets, destination),
  };
}

/** Without a secret the forges send an empty signature, which no secret makes. */
function verifyRequest({ headers, body }: RawRequest, secrets: readonly Secret[]): VerifyResult {
  const name = FORKS.map((fork) => `x-${fork}-signature`).find((each) => headers.has(each));
  if (name === undefined) return refuseSignature("signature_missing");
  // The JSON is signed, not the form around it.
  const field = isForm(headers) ? readField(body, "payload") : null;
  if (field?.kind === "unreadable") return refuseSignature("signature_mismatch");
  const content = field === null ? body : Buffer.from(field.text);
  return checkSignature(headers.get(name), content, secrets, SIGNATURE_STYLE);
}
