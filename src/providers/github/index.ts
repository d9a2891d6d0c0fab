import { type StaticDecode, Type } from "@sinclair/typebox";
import type { Provider, SourceHandler } from "../../domain/provider.ts";
import { TableSetting } from "../../lib/schema.ts";
import type { Secret } from "../../lib/secret.ts";
import { formField, SECRETS, SecretList } from "../forge.ts";
import { checkSignature } from "../hmac.ts";
import { composeDelivery, SIGNATURE_HEADER, SIGNATURE_STYLE } from "./compose.ts";
import { publishedRanges } from "./published-ranges.ts";
import { readDelivery } from "./read.ts";

const options = TableSetting({ secrets: Type.Optional(SecretList) }, { secrets: SECRETS });

/**
 * Webhooks of GitHub repositories, organisations and Apps, signed with HMAC-SHA256 over the raw body, as JSON or as a
 * form. Source: https://docs.github.com/en/webhooks/webhook-events-and-payloads
 */
export const github: Provider<StaticDecode<typeof options>> = {
  name: "github",
  summary: "GitHub webhooks, signed with a shared secret",
  options,
  generatedSecret: "secrets",
  needsGeneratedSecret: () => true,
  formatSecret: (bytes) => bytes.toString("hex"),
  checkOptions: () => [],
  reportsPushes: true,
  reportsCi: () => true,
  hasNestedRepositories: false,
  onRedelivery: "run",
  cloneUrl: (repository) => `https://github.com/${repository}.git`,
  commitPath: (repository) => `/${repository}/commit/`,
  webhookForm: ({ url, secrets, repository, waitsForCi }) => ({
    sender: "GitHub",
    page:
      repository === null
        ? "your repository's Settings > Webhooks > Add webhook"
        : `https://github.com/${repository}/settings/hooks/new, or Settings > Webhooks > Add webhook`,
    fields: [
      ["Payload URL", url],
      ["Content type", "application/json"],
      ...formField("Secret", secrets.secrets),
      [
        "Events",
        waitsForCi
          ? "Let me select individual events: Pushes, Workflow runs (for CI outside GitHub Actions: Check suites or Statuses)"
          : "Just the push event",
      ],
    ],
  }),
  defaultSource: { name: "github", path: "/github-webhook", secretVariable: "GITHUB_WEBHOOK_SECRET" },
  publishedRanges,
  // https://docs.github.com/rest/commits/statuses
  statusApi: "https://api.github.com",
  // Without secrets, every request is refused.
  createHandler: ({ secrets = [] }) => createHandler(secrets),
  createHandlerWithSecret: (secret) => createHandler([secret]),
};

function createHandler(secrets: readonly Secret[]): SourceHandler {
  return {
    contentTypes: ["application/json", "application/x-www-form-urlencoded"],
    // Listed by full name, not by prefix: X-GitHub-Encoded-Secret once held the secret itself.
    storedHeaders: [
      "x-github-event",
      "x-github-delivery",
      "x-github-hook-id",
      "x-github-hook-installation-target-id",
      "x-github-hook-installation-target-type",
    ],
    credentialHeaders: ["x-hub-signature", "x-hub-signature-256"],
    idHeaders: ["x-github-delivery"],
    signatureHeader: "X-Hub-Signature-256",
    answersSuccess: false,
    usesGuessableSecrets: false,
    repeatedBody: "duplicate",
    handshake: null,
    verify: ({ headers, body }) =>
      checkSignature(headers.get(SIGNATURE_HEADER), body, secrets, SIGNATURE_STYLE),
    parse: readDelivery,
    compose: (message, destination) => composeDelivery(message, secrets, destination),
  };
}
