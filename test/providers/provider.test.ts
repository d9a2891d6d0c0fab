import { describe, expect, test } from "bun:test";
import { generic } from "../../src/providers/generic/index.ts";
import { github } from "../../src/providers/github/index.ts";
import { providers } from "../../src/providers/index.ts";
import { loadSecret } from "./load-secret.ts";
import { describeProvider } from "./provider.contract.ts";

const [listedGithub, listedGeneric] = providers;
if (listedGithub === undefined || listedGeneric === undefined)
  throw new Error("a provider is missing from the list");

describeProvider({
  provider: listedGithub,
  handler: github.createHandler({ secrets: [loadSecret("It's a Secret to Everybody")] }),
  unset: github.createHandler({}),
  client: null,
});

describeProvider({
  provider: listedGeneric,
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
  provider: listedGeneric,
  variant: "with a bearer token and a signature",
  handler: generic.createHandler({
    bearer: [loadSecret("t0k3n")],
    hmac: { header: "X-Signature", secrets: [loadSecret("It's a Secret to Everybody")] },
  }),
  unset: generic.createHandler({}),
  client: null,
});

describe("providers", () => {
  test("lists each provider once", () => {
    expect(providers.map((provider) => provider.name)).toEqual(["github", "generic"]);
  });
});
