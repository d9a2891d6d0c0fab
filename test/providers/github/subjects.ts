import { github as provider } from "../../../src/providers/github/index.ts";
import { loadSecret } from "../load-secret.ts";
import type { ProviderSubject } from "../provider.contract.ts";

/** Handlers that the contract of the provider is tested with. */
export const subjects: readonly Omit<ProviderSubject, "provider">[] = [
  {
    handler: provider.createHandler({ secrets: [loadSecret("It's a Secret to Everybody")] }),
    unset: provider.createHandler({}),
    client: null,
  },
];
