import type { Provider, SourceHandler } from "../../domain/provider.ts";
import { formField, joinUrl, pathOf } from "../forge.ts";
import { checkSignature } from "../hmac.ts";
import { composeDelivery, SIGNATURE_HEADER, SIGNATURE_STYLE } from "./compose.ts";
import { BitbucketOptions, type BitbucketSettings } from "./options.ts";
import { ID_HEADERS, readDelivery } from "./read.ts";

/**
 * Webhooks of Bitbucket Cloud and Data Center, signed with HMAC-SHA256 over the raw body.
 * Sources: https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/ and
 * https://confluence.atlassian.com/bitbucketserver/manage-webhooks-938025878.html
 */
export const bitbucket: Provider<BitbucketSettings> = {
  name: "bitbucket",
  summary: "Bitbucket Cloud and Data Center webhooks, signed with a shared secret",
  options: BitbucketOptions,
  generatedSecret: "secrets",
  needsGeneratedSecret: () => true,
  formatSecret: (bytes) => bytes.toString("hex"),
  checkOptions: () => [],
  reportsPushes: true,
  // Data Center has no such events.
  reportsCi: ({ base_url }) => base_url === undefined,
  hasNestedRepositories: false,
  onRedelivery: "run",
  cloneUrl: (repository, { base_url: base }) =>
    base === undefined ? `https://bitbucket.org/${repository}.git` : joinUrl(base, `scm/${repository}.git`),
  commitPath(repository, { base_url: base }) {
    if (base === undefined) return `/${repository}/commits/`;
    const [key, name] = repository.split("/");
    return joinUrl(pathOf(base), `projects/${key}/repos/${name}/commits/`);
  },
  webhookForm: ({ url, secrets, waitsForCi }) => ({
    sender: "Bitbucket",
    page: "the repository's Repository settings > Webhooks > Add webhook",
    fields: [
      ["URL", url],
      ...formField("Secret", secrets.secrets),
      [
        "Triggers",
        `Repository push${waitsForCi ? ", Build status created, Build status updated (Bitbucket Cloud only)" : ""}`,
      ],
    ],
  }),
  createHandler,
  createHandlerWithSecret: (secret) => createHandler({ secrets: [secret] }),
};

function createHandler(settings: BitbucketSettings): SourceHandler {
  const { secrets = [] } = settings;
  return {
    contentTypes: ["application/json"],
    storedHeaders: ["x-event-key", "x-hook-uuid", "x-request-uuid", "x-attempt-number"],
    credentialHeaders: [SIGNATURE_HEADER],
    idHeaders: ID_HEADERS,
    signatureHeader: "X-Hub-Signature",
    answersSuccess: false,
    usesGuessableSecrets: false,
    repeatedBody: "duplicate",
    handshake: null,
    verify: ({ headers, body }) =>
      checkSignature(headers.get(SIGNATURE_HEADER), body, secrets, SIGNATURE_STYLE),
    parse: readDelivery,
    compose: (message, destination) => composeDelivery(message, settings, destination),
  };
}
