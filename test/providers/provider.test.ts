import { describe, expect, test } from "bun:test";
import type { Provider } from "../../src/domain/provider.ts";
import { bitbucket } from "../../src/providers/bitbucket/index.ts";
import { generic } from "../../src/providers/generic/index.ts";
import { gitea } from "../../src/providers/gitea/index.ts";
import { github } from "../../src/providers/github/index.ts";
import { gitlab } from "../../src/providers/gitlab/index.ts";
import { providers } from "../../src/providers/index.ts";
import { slack } from "../../src/providers/slack/index.ts";
import { standard } from "../../src/providers/standard/index.ts";
import { stripe } from "../../src/providers/stripe/index.ts";
import { loadSecret } from "./load-secret.ts";
import { describeProvider } from "./provider.contract.ts";

const WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/** The provider in the list, with settings of any type. */
function listed(name: string): Provider {
  const provider = providers.find((each) => each.name === name);
  if (provider === undefined) throw new Error(`the provider ${name} is missing from the list`);
  return provider;
}

describeProvider({
  provider: listed("github"),
  handler: github.createHandler({ secrets: [loadSecret("It's a Secret to Everybody")] }),
  unset: github.createHandler({}),
  client: null,
});

describeProvider({
  provider: listed("generic"),
  handler: generic.createHandler({ verify_token: loadSecret("It's a Secret to Everybody") }),
  unset: generic.createHandler({}),
  client: {
    source: "webhook",
    address: "192.0.2.1",
    authorisedAt: new Date("2026-11-21T20:00:00Z"),
    expiresAt: new Date("2026-11-22T20:00:00Z"),
  },
});

describeProvider({
  provider: listed("generic"),
  variant: "with a bearer token and a signature",
  handler: generic.createHandler({
    bearer: [loadSecret("t0k3n")],
    hmac: { header: "X-Signature", secrets: [loadSecret("It's a Secret to Everybody")] },
  }),
  unset: generic.createHandler({}),
  client: null,
});

describeProvider({
  provider: listed("gitlab"),
  handler: gitlab.createHandler({ secrets: [loadSecret("It's a Secret to Everybody")] }),
  unset: gitlab.createHandler({}),
  client: null,
});

describeProvider({
  provider: listed("gitlab"),
  variant: "with a signing token",
  handler: gitlab.createHandler({ signing_secrets: [loadSecret(WHSEC)] }),
  unset: gitlab.createHandler({ signing_secrets: [] }),
  client: null,
});

describeProvider({
  provider: listed("gitea"),
  handler: gitea.createHandler({ secrets: [loadSecret("It's a Secret to Everybody")] }),
  unset: gitea.createHandler({}),
  client: null,
});

describeProvider({
  provider: listed("bitbucket"),
  handler: bitbucket.createHandler({ secrets: [loadSecret("It's a Secret to Everybody")] }),
  unset: bitbucket.createHandler({}),
  client: null,
});

describeProvider({
  provider: listed("bitbucket"),
  variant: "of a Data Center",
  handler: bitbucket.createHandler({
    secrets: [loadSecret("It's a Secret to Everybody")],
    base_url: "https://bitbucket.example.com",
  }),
  unset: bitbucket.createHandler({}),
  client: null,
});

describeProvider({
  provider: listed("standard"),
  handler: standard.createHandler({ secrets: [loadSecret(WHSEC)] }),
  unset: standard.createHandler({}),
  client: null,
});

for (const provider of [stripe, slack]) {
  describeProvider({
    provider: listed(provider.name),
    handler: provider.createHandler({ secrets: [loadSecret(WHSEC)] }),
    unset: provider.createHandler({ secrets: [] }),
    client: null,
  });
}

describe("providers", () => {
  test("lists each provider once", () => {
    expect(providers.map((provider) => provider.name)).toEqual([
      "github",
      "gitlab",
      "gitea",
      "bitbucket",
      "standard",
      "stripe",
      "slack",
      "generic",
    ]);
  });
});
