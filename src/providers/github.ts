import { Type } from "@sinclair/typebox";
import type { Dialect, ProviderWith, Verdict } from "../domain/provider.ts";
import type { Secret } from "../domain/secret.ts";
import { SecretReference } from "../domain/setting.ts";
import { composeDelivery } from "./github/compose.ts";
import { readDelivery } from "./github/read.ts";
import { SIGNATURE_HEADER, SIGNATURE_STYLE } from "./github/signature.ts";
import { verifySignature } from "./hmac.ts";

const options = Type.Object({
  secrets: Type.Optional(Type.Array(SecretReference, { minItems: 1, expected: "a list of secrets" })),
});

const VERIFIED: Verdict = { ok: true };
const REFUSED: Verdict = { ok: false, refusal: "signature verification failed", guess: false };

/**
 * Webhooks of GitHub, of repositories, organisations and Apps: signed with HMAC-SHA256 over the raw body, as JSON
 * or as a form. Source: https://docs.github.com/en/webhooks/webhook-events-and-payloads
 */
export const github: ProviderWith<typeof options> = {
  name: "github",
  summary: "GitHub webhooks, signed with a shared secret",
  options,
  generatedSecret: "secrets",
  generates: () => true,
  check: () => [],
  tellsPushes: true,
  cloneUrl: (repository) => `https://github.com/${repository}.git`,
  // Without secrets `verify` refuses everything.
  open: ({ secrets = [] }) => openDialect(secrets),
  openWith: (secret) => openDialect([secret]),
};

function openDialect(secrets: readonly Secret[]): Dialect {
  return {
    contentTypes: ["application/json", "application/x-www-form-urlencoded"],
    // By full name, never by prefix: X-GitHub-Encoded-Secret once carried the secret itself.
    keptHeaders: [
      "x-github-event",
      "x-github-delivery",
      "x-github-hook-id",
      "x-github-hook-installation-target-id",
      "x-github-hook-installation-target-type",
    ],
    plain: false,
    guessable: false,
    handshake: null,
    verify: ({ headers, body }) =>
      verifySignature(headers.get(SIGNATURE_HEADER), body, secrets, SIGNATURE_STYLE) ? VERIFIED : REFUSED,
    read: readDelivery,
    compose: (message) => composeDelivery(message, secrets),
  };
}
