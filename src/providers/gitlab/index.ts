import type { Provider, SourceHandler, VerifyResult } from "../../domain/provider.ts";
import type { Secret } from "../../lib/secret.ts";
import { formField, joinUrl, pathOf } from "../forge.ts";
import { equalInConstantTime } from "../hmac.ts";
import {
  checkStandardSecrets,
  STANDARD_CREDENTIALS,
  STANDARD_HEADERS,
  verifyStandard,
} from "../standard-signature.ts";
import { composeDelivery } from "./compose.ts";
import { GitlabOptions, type GitlabSettings } from "./options.ts";
import { ID_HEADERS, readDelivery } from "./read.ts";

/**
 * Webhooks of GitLab projects and groups, and system hooks. They show a token, or are signed since GitLab 19.
 * Source: https://docs.gitlab.com/user/project/integrations/webhooks/
 */
export const gitlab: Provider<GitlabSettings> = {
  name: "gitlab",
  summary: "GitLab webhooks and system hooks, with a secret token or signed",
  options: GitlabOptions,
  generatedSecret: "secrets",
  needsGeneratedSecret: ({ signing_secrets }) => signing_secrets === undefined,
  formatSecret: (bytes) => bytes.toString("hex"),
  checkOptions: ({ signing_secrets = [] }) => checkStandardSecrets("signing_secrets", signing_secrets),
  reportsPushes: true,
  reportsCi: () => true,
  hasNestedRepositories: true,
  onRedelivery: "run",
  cloneUrl: (repository, { base_url: base = "https://gitlab.com" }) => joinUrl(base, `${repository}.git`),
  commitPath: (repository, { base_url: base }) => joinUrl(pathOf(base), `${repository}/-/commit/`),
  webhookForm: ({ url, secrets, waitsForCi }) => ({
    sender: "GitLab",
    page: "the project's Settings > Webhooks > Add new webhook",
    fields: [
      ["URL", url],
      ...formField("Secret token", secrets.secrets),
      ...formField("Signing token", secrets.signing_secrets),
      ["Trigger", `Push events, Tag push events${waitsForCi ? ", Pipeline events" : ""}`],
    ],
  }),
  createHandler,
  createHandlerWithSecret: (secret) =>
    createHandler(
      secret.reveal().startsWith("whsec_") ? { signing_secrets: [secret] } : { secrets: [secret] },
    ),
};

function createHandler(settings: GitlabSettings): SourceHandler {
  const { secrets = [], signing_secrets: signingSecrets } = settings;
  return {
    contentTypes: ["application/json"],
    storedHeaders: [
      "x-gitlab-event",
      "x-gitlab-instance",
      "x-gitlab-webhook-uuid",
      "x-gitlab-event-uuid",
      "idempotency-key",
      ...STANDARD_HEADERS,
    ],
    credentialHeaders: ["x-gitlab-token", ...STANDARD_CREDENTIALS],
    idHeaders: ID_HEADERS,
    signatureHeader: signingSecrets === undefined ? null : "webhook-signature",
    answersSuccess: false,
    usesGuessableSecrets: signingSecrets === undefined,
    // A sender that can replay a request with a token knows the token.
    repeatedBody: signingSecrets === undefined ? "redelivery" : "new",
    handshake: null,
    verify: (request, _client, now) =>
      signingSecrets === undefined
        ? verifyToken(request.headers.get("x-gitlab-token"), secrets)
        : verifyStandard(request, signingSecrets, now),
    parse: readDelivery,
    compose: (message, destination) => composeDelivery(message, settings, destination),
  };
}

function verifyToken(shown: string | null, secrets: readonly Secret[]): VerifyResult {
  const refused = { kind: "refused", status: "not authorised" } as const;
  if (shown === null || shown === "") return { ...refused, code: "token_missing", isThrottled: false };
  let matches = false;
  // Every token is compared even after a match, so that the time does not reveal which one matched.
  for (const secret of secrets) if (equalInConstantTime(shown, secret.reveal())) matches = true;
  return matches ? { kind: "verified" } : { ...refused, code: "token_mismatch", isThrottled: true };
}
