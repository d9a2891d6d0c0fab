import { generic as provider } from "../../../src/providers/generic/index.ts";
import { loadSecret } from "../load-secret.ts";
import type { ProviderSubject } from "../provider.contract.ts";

/** Handlers that the contract of the provider is tested with. */
export const subjects: readonly Omit<ProviderSubject, "provider">[] = [
  {
    handler: provider.createHandler({ verify_token: loadSecret("It's a Secret to Everybody") }),
    unset: provider.createHandler({}),
    client: {
      source: "webhook",
      address: "192.0.2.1",
      authorisedAt: new Date("2026-11-21T20:00:00Z"),
      expiresAt: new Date("2026-11-22T20:00:00Z"),
    },
  },
  {
    variant: "with a bearer token and a signature",
    handler: provider.createHandler({
      bearer: [loadSecret("t0k3n")],
      hmac: { header: "X-Signature", secrets: [loadSecret("It's a Secret to Everybody")] },
    }),
    unset: provider.createHandler({}),
    client: null,
  },
];
