import { describe, expect, test } from "bun:test";
import type { Config } from "../../src/config/load.ts";
import { checkPublicUrl, checkSources } from "../../src/doctor/sources.ts";
import { Secret } from "../../src/lib/secret.ts";
import { generic } from "../../src/providers/generic/index.ts";
import type { GenericSettings } from "../../src/providers/generic/options.ts";
import { loadSecret } from "../providers/load-secret.ts";
import { secretOf } from "../support/public.ts";
import { targetOf } from "../support/target.ts";
import { levelsOf, linesOf } from "./results.ts";
import { serverWith } from "./settings.ts";

const token = loadSecret("a token of the tests, long enough");

type Server = Partial<Config["server"]>;

const TLS = { cert: "/cert.pem", key: "/key.pem" };
const GITHUB = { name: "github", provider: "github", path: "/github-webhook", print: false, handler: {} };
const SOURCES = [
  GITHUB,
  { name: "webhook", provider: "generic", path: "/webhook", print: true, handler: {} },
  { name: "silent", provider: "generic", path: "/silent", print: false, handler: {} },
];
const TARGETS = [targetOf("blog"), targetOf("docs")];

const settings = (server: Server) => ({
  server: serverWith({ ...server }),
  sources: SOURCES,
  targets: TARGETS,
  secrets: [{ owner: "source github", option: "secrets", secret: secretOf("a secret of the tests") }],
});

const checkUrl = (server: Server) => linesOf(checkPublicUrl(settings(server)));

describe("source check", () => {
  test("shows the URL and the targets of each source", () => {
    const url = "https://hooks.example.com:9000/in";
    const lines = linesOf(checkSources(settings({ publicUrl: url })));
    expect(levelsOf(lines)).toEqual(["ok", "ok", "warn"]);
    expect(lines).toEqual([
      expect.stringContaining(`source github: ${url}/github-webhook `),
      expect.stringContaining(`source webhook: ${url}/webhook `),
      expect.stringContaining(`source silent: ${url}/silent `),
    ]);
    expect(lines[0]).toContain("blog, docs");
    expect(lines[0]).toContain("env:A_TEST");
    expect(lines.join()).not.toContain("a secret of the tests");
    expect(lines).toMatchSnapshot();
  });

  const formOf = (provider: string, ...options: readonly string[]) => {
    const url = "https://hooks.example.com";
    const result = checkSources({
      ...settings({ publicUrl: url }),
      sources: [{ name: "hook", provider, path: "/hook", print: false, handler: {} }],
      targets: [targetOf("blog", { source: "hook" })],
      secrets: options.map((option, at) => ({
        owner: "source hook",
        option,
        secret: new Secret({ kind: "env", name: `SECRET_${at}` }),
      })),
    });
    return linesOf(result).join("\n");
  };

  test("says what to enter at the sender before there is a target", () => {
    const sources = [{ ...GITHUB, print: true }];
    const all = settings({ publicUrl: "https://hooks.example.com" });
    const [line] = linesOf(checkSources({ ...all, sources, targets: [] }));
    expect(line).toContain("prints its deliveries; no target uses it; enter this URL at GitHub");
  });

  test.each<[string, GenericSettings, readonly string[]]>([
    ["a verify token", { verify_token: token }, ["a GET", "Authorization: Bearer"]],
    ["a parameter", { query: { name: "key", tokens: [token] } }, ["parameter key"]],
    ["a header", { header: { name: "X-Api-Key", tokens: [token] } }, ["header X-Api-Key"]],
    ["a bearer token", { bearer: [token] }, ["Authorization: Bearer"]],
    ["a signature", { hmac: { header: "X-Sign", secrets: [token] } }, ["X-Sign", "sha256", "{body}", "hex"]],
    [
      "a password and a bearer token",
      { basic: [{ user: "ada", hash: token }], bearer: [token] },
      ["ada", "Authorization: Bearer"],
    ],
  ])("says what requests of any other sender need: %s", (_, options, facts) => {
    const handler = generic.createHandler(options);
    const sources = [{ name: "hook", provider: "generic", path: "/hook", print: true, handler }];
    const [line = ""] = linesOf(checkSources({ ...settings({}), sources, targets: [], secrets: [] }));
    for (const fact of [...facts, "POST"]) expect(line).toContain(fact);
    expect(line).toContain("env:TEST_SECRET");
    expect(line).not.toContain(token.reveal());
    expect(line).toMatchSnapshot();
  });

  test.each([
    [
      "gitlab",
      ["secrets", "secrets"],
      ["Secret token: the value of env:SECRET_0"],
      ["Signing token", "SECRET_1"],
    ],
    ["gitlab", ["signing_secrets"], ["Signing token: the value of env:SECRET_0"], ["Secret token"]],
    [
      "gitlab",
      ["secrets", "signing_secrets"],
      ["Secret token: the value of env:SECRET_0", "Signing token: the value of env:SECRET_1"],
      [],
    ],
    ["gitea", ["secrets"], ["Secret: the value of env:SECRET_0"], []],
    ["bitbucket", ["secrets"], ["Secret: the value of env:SECRET_0"], []],
    ["standard", ["secrets"], ["Secret: the value of env:SECRET_0"], []],
    ["stripe", ["secrets"], ["env:SECRET_0 must hold its Signing secret"], ["the value of"]],
    ["slack", ["secrets"], ["env:SECRET_0 must hold its Signing Secret"], ["the value of"]],
  ] as const)("says what to enter at the sender of %s with %p", (provider, options, present, absent) => {
    const text = formOf(provider, ...options);
    for (const part of present) expect(text).toContain(part);
    for (const part of absent) expect(text).not.toContain(part);
    expect(text).toMatchSnapshot();
  });

  // Hosts and ports that are not known have placeholders, which the snapshots show.
  test.each<[title: string, Server, start: string, end: string]>([
    ["the default", {}, "http://127.0.0.1:9000", ""],
    ["an IPv6 address", { host: "2001:db8::1", tls: TLS }, "https://[2001:db8::1]:9000", ""],
    ["all addresses", { host: "0.0.0.0", tls: TLS }, "https://", ":9000"],
    ["all addresses and any free port", { host: "0.0.0.0", port: 0 }, "http://", ""],
    ["any free port", { port: 0 }, "http://127.0.0.1:", ""],
    ["a socket", { host: "unix:/run/hooklatch.sock" }, "unix:/run/hooklatch.sock:", ""],
  ])("derives the URL from the listener if public_url is not set: %s", (_, server, start, end) => {
    const text = checkSources(settings(server))[0]?.text;
    expect(text).toStartWith(`source github: ${start}`);
    expect(text).toContain(`${end}/github-webhook `);
    expect(text).toMatchSnapshot();
  });
});

describe("public_url check", () => {
  test.each<[title: string, Server]>([
    ["only a proxy", { trustedProxies: ["127.0.0.1"] }],
    ["only a socket", { host: "unix:/run/hooklatch.sock" }],
    [
      "the default port of HTTPS",
      { publicUrl: "https://hooks.example.com", port: 443, tls: TLS, host: "0.0.0.0" },
    ],
    ["the port of the listener", { publicUrl: "https://hooks.example.com:9000", tls: TLS }],
    ["any free port", { publicUrl: "https://hooks.example.com", port: 0, tls: TLS }],
    ["a proxy", { publicUrl: "https://hooks.example.com", trustedProxies: ["127.0.0.1"] }],
    ["a socket", { publicUrl: "https://hooks.example.com", host: "unix:/run/hooklatch.sock" }],
    ["HTTP on loopback", { publicUrl: "http://127.0.0.1:9000" }],
  ])("returns no results if the URL matches the listener or there is a proxy: %s", (_, server) => {
    expect(checkUrl(server)).toEqual([]);
  });

  test("warns if the scheme differs from that of the listener", () => {
    const http = checkUrl({ publicUrl: "http://hooks.example.com:9000", tls: TLS });
    expect(http).toEqual([expect.stringContaining("https://hooks.example.com:9000")]);
    const https = checkUrl({ publicUrl: "https://hooks.example.com" });
    expect(https).toEqual([expect.stringContaining("trusted_proxies")]);
    for (const fact of ["public_url", "[server.tls]", "[server.acme]", "127.0.0.1"]) {
      expect(https[0]).toContain(fact);
    }
    expect(levelsOf([...http, ...https])).toEqual(["warn", "warn"]);
    expect([...http, ...https]).toMatchSnapshot();
  });

  test("warns if the port differs from that of the listener", () => {
    const lines = checkUrl({ publicUrl: "https://hooks.example.com/in", tls: TLS });
    expect(levelsOf(lines)).toEqual(["warn"]);
    for (const fact of ["443", "9000", "https://hooks.example.com:9000/in"]) expect(lines[0]).toContain(fact);
    expect(lines).toMatchSnapshot();
  });

  test("warns if the sources listen only on loopback", () => {
    const http = checkUrl({});
    expect(http).toEqual([expect.stringContaining("127.0.0.1")]);
    for (const fact of ["github, webhook, silent", "[server.acme]", "[server.tls]", "trusted_proxies"]) {
      expect(http[0]).toContain(fact);
    }
    const https = checkUrl({ tls: TLS, host: "::1" });
    expect(https).toEqual([expect.stringContaining('host = "0.0.0.0"')]);
    expect(levelsOf([...http, ...https])).toEqual(["warn", "warn"]);
    expect([...http, ...https]).toMatchSnapshot();
    expect(checkPublicUrl({ ...settings({}), targets: [] })).toHaveLength(1);
  });

  test("warns about plain HTTP on other interfaces than loopback, with or without targets", () => {
    const lines = checkUrl({ host: "0.0.0.0" });
    expect(levelsOf(lines)).toEqual(["warn"]);
    for (const fact of ["[server.tls]", "[server.acme]"]) expect(lines[0]).toContain(fact);
    expect(lines).toMatchSnapshot();
    expect(checkPublicUrl({ ...settings({ host: "0.0.0.0" }), targets: [] })).toHaveLength(1);
    expect(checkUrl({ host: "0.0.0.0", publicUrl: "http://hooks.example.com:9000" })).toEqual(lines);
  });
});
