import { gitlab as provider } from "../../../src/providers/gitlab/index.ts";
import { loadSecret } from "../load-secret.ts";
import type { ProviderSubject } from "../provider.contract.ts";

const WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/** Handlers that the contract of the provider is tested with. */
export const subjects: readonly Omit<ProviderSubject, "provider">[] = [
  {
    handler: provider.createHandler({ secrets: [loadSecret("It's a Secret to Everybody")] }),
    unset: provider.createHandler({}),
    client: null,
  },
  {
    variant: "with a signing token",
    handler: provider.createHandler({ signing_secrets: [loadSecret(WHSEC)] }),
    unset: provider.createHandler({ signing_secrets: [] }),
    client: null,
  },
];
