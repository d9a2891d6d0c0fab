import { standard as provider } from "../../../src/providers/standard/index.ts";
import { loadSecret } from "../load-secret.ts";
import type { ProviderSubject } from "../provider.contract.ts";

const WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/** Handlers that the contract of the provider is tested with. */
export const subjects: readonly Omit<ProviderSubject, "provider">[] = [
  {
    handler: provider.createHandler({ secrets: [loadSecret(WHSEC)] }),
    unset: provider.createHandler({}),
    client: null,
  },
];
