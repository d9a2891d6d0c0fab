import { describe, expect, test } from "bun:test";
import { verifyArgon2id } from "../../src/runtime/index.ts";
import { hook, match, NEW_TOKEN, translateHooks } from "./translate-hooks.ts";

const signature = (type: string, header: string, secret = "a secret of the tests") => ({
  match: { type: `payload-hmac-${type}`, secret, parameter: { source: "header", name: header } },
});
const address = (range: string) => ({ match: { type: "ip-whitelist", "ip-range": range } });
const TOKEN = "a token of the tests";
const OPEN = { provider: "generic", query: { name: "token", tokens: [NEW_TOKEN] } };

describe("a rule becomes the checks of a source", () => {
  test.each([
    ["no rule", undefined, OPEN],
    [
      "GitHub's signature",
      signature("sha256", "X-Hub-Signature-256"),
      { provider: "github", secrets: ["a secret of the tests"] },
    ],
    ["GitHub's old signature", signature("sha1", "X-Hub-Signature"), { provider: "github" }],
    ["Bitbucket's signature", signature("sha256", "X-Hub-Signature"), { provider: "bitbucket" }],
    ["Gitea's signature", signature("sha256", "X-Gitea-Signature"), { provider: "gitea" }],
    ["Forgejo's signature", signature("sha256", "x-forgejo-signature"), { provider: "gitea" }],
    ["Gogs' signature", signature("sha256", "X-Gogs-Signature"), { provider: "gitea" }],
    ["GitLab's token", match(TOKEN, "X-Gitlab-Token", "header"), { provider: "gitlab", secrets: [TOKEN] }],
    [
      "another signature",
      signature("sha512", "X-Signature"),
      { provider: "generic", hmac: { header: "x-signature", algorithm: "sha512" } },
    ],
    [
      "a signature whose header names its function",
      signature("sha256", "X-Acme-Signature-256"),
      { provider: "generic", hmac: { prefix: "sha256=" } },
    ],
    ["a token in the URL", match(TOKEN, "key", "url"), { query: { name: "key", tokens: [TOKEN] } }],
    ["the other name of that", match(TOKEN, "key", "query"), { query: { name: "key", tokens: [TOKEN] } }],
    [
      "a token in a header",
      match(TOKEN, "X-Api-Key", "header"),
      { header: { name: "x-api-key", tokens: [TOKEN] } },
    ],
    [
      "a text in a header, where nothing else proves the sender",
      match(TOKEN, "X-Acme", "header"),
      { header: { name: "x-acme", tokens: [TOKEN] } },
    ],
    ["the name of an event in a header", match("issue_created", "X-Acme-Event", "header"), OPEN],
    ["a bearer token", match("Bearer abc", "Authorization", "header"), { bearer: ["abc"] }],
    [
      "another Authorization",
      match("token abc", "Authorization", "header"),
      { header: { name: "authorization", tokens: ["token abc"] } },
    ],
    [
      "two tokens, either of which is right",
      { or: [match(TOKEN, "key", "url"), match("another token", "key", "url")] },
      { query: { name: "key", tokens: [TOKEN, "another token"] } },
    ],
    [
      "two secrets",
      { or: [signature("sha256", "X-Signature"), signature("sha256", "X-Signature", "the other")] },
      { hmac: { secrets: ["a secret of the tests", "the other"] } },
    ],
    [
      "one proof in each alternative",
      {
        or: [
          { and: [match(TOKEN, "key", "url"), match("a", "b")] },
          { and: [match(TOKEN, "key", "url"), match("c", "d")] },
        ],
      },
      { query: { name: "key", tokens: [TOKEN] } },
    ],
    [
      "a signature and a token",
      { and: [signature("sha256", "X-Signature"), { and: [match(TOKEN, "key", "url")] }] },
      { query: { name: "key" }, hmac: { header: "x-signature" } },
    ],
    [
      "a signature of GitHub and a token, which github sources do not take",
      { and: [signature("sha256", "X-Hub-Signature-256"), match(TOKEN, "key", "url")] },
      { provider: "generic", hmac: { header: "x-hub-signature-256", prefix: "sha256=" } },
    ],
    [
      "addresses and a signature",
      {
        and: [
          { or: [address("192.0.2.1 198.51.100.0/24"), address("2001:db8::/32")] },
          signature("sha256", "X-Gitea-Signature"),
        ],
      },
      { provider: "gitea", allow: ["192.0.2.1", "198.51.100.0/24", "2001:db8::/32"] },
    ],
    ["addresses alone", address("192.0.2.1/32"), { ...OPEN, allow: ["192.0.2.1/32"] }],
    [
      "the deprecated name of a signature",
      {
        match: {
          type: "payload-hash-sha256",
          secret: "a secret of the tests",
          parameter: { source: "header", name: "X-Gitea-Signature" },
        },
      },
      { provider: "gitea" },
    ],
  ])("%s", async (_, rule, expected) => {
    const { hooks, sources } = await translateHooks([hook({ "trigger-rule": rule })]);
    expect({ hooks, source: sources[0] }).toMatchObject({
      source: { name: "app", path: "/hooks/app", ...expected },
    });
  });

  test("a user and a password", async () => {
    const credentials = Buffer.from("ada:a password of the tests").toString("base64");
    const rule = match(`Basic ${credentials}`, "Authorization", "header");
    const { sources, text } = await translateHooks([hook({ "trigger-rule": rule })]);
    expect(sources).toMatchObject([{ basic: [{ user: "ada" }] }]);
    const [, hash = ""] = /hash = "([^"]+)"/.exec(text) ?? [];
    expect(await verifyArgon2id("a password of the tests", hash)).toBe(true);
    expect(text).not.toContain(credentials);
  });

  test.each([
    ["a signature with SHA-1", signature("sha1", "X-Signature")],
    [
      "a signature in the URL",
      {
        match: { type: "payload-hmac-sha256", secret: "a", parameter: { source: "url", name: "b" } },
      },
    ],
    ["a signature without a secret", signature("sha256", "X-Signature", "")],
    ["Scalr's signature", { match: { type: "scalr-signature", secret: "a" } }],
    ["two signatures", { and: [signature("sha256", "X-Signature"), signature("sha256", "X-Signature-2")] }],
    ["a signature or a token", { or: [signature("sha256", "X-Signature"), match(TOKEN, "key", "url")] }],
    ["a token or any address in a range", { or: [match(TOKEN, "key", "url"), address("192.0.2.1")] }],
    [
      "another secret in each alternative",
      {
        or: [
          { and: [match(TOKEN, "key", "url"), match("a", "b")] },
          { and: [match("another token", "key", "url"), match("c", "d")] },
        ],
      },
    ],
    ["not a token", { not: match(TOKEN, "key", "url") }],
    ["two lists of addresses", { and: [address("192.0.2.1"), address("192.0.2.0/24")] }],
    ["an invalid address", address("192.0.2.300")],
    ["no address", address("")],
    ["two parameters of the URL", { and: [match(TOKEN, "key", "url"), match(TOKEN, "other", "url")] }],
    [
      "an invalid pattern",
      { match: { type: "regex", regex: "(", parameter: { source: "payload", name: "a" } } },
    ],
    ["a rule that is too long", { and: [match(TOKEN, "key", "url"), match("a".repeat(5000), "b")] }],
    ["a secret with white space", signature("sha256", "X-Gitea-Signature", "secret\n")],
  ])("but %s does not, and the hook is left out", async (_, rule) => {
    const { hooks, sources, targets, text } = await translateHooks([hook({ "trigger-rule": rule })]);
    expect({ sources, targets }).toEqual({ sources: [], targets: [] });
    expect(hooks).toMatchObject([{ level: "fail", label: '"app"' }]);
    expect(hooks[0]?.reasons.length).toBeGreaterThan(0);
    expect(text).toContain('# Hook "app" was not translated');
  });

  test.each(["env:HOME", "${HOME}"])(
    "nor does the secret %s, which would be read elsewhere",
    async (secret) => {
      const hooks = [hook({ "trigger-rule": match(secret, "X-Gitlab-Token", "header") })];
      const { hooks: found, text } = await translateHooks(hooks);
      expect(found).toMatchObject([{ level: "fail" }]);
      expect(JSON.stringify(found) + text).not.toContain(secret);
      const inFiles = await translateHooks(hooks, { isInFiles: true });
      expect(inFiles.secretFiles).toMatchObject([{ text: secret }]);
    },
  );
});
