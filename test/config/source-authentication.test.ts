import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { describeIssue, type Loaded, loadConfig } from "../../src/config/load.ts";
import { providers } from "../../src/providers/index.ts";
import { post } from "../support/request.ts";
import { configOf, type ExpectedFinding, expectFindings, makeHome } from "./home.ts";

const TOKEN = "correct-horse-battery-staple";
const HASH = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
const ENV = { TOKEN, SECRET: TOKEN, SPACED: "correct horse battery staple", HASH, NO_HASH: TOKEN };
const BEARER = 'bearer = ["env:TOKEN"]';
const BASIC = 'basic = [{ user = "ada", hash = "env:HASH" }]';
const HMAC = 'hmac = { header = "x-signature", secrets = ["env:SECRET"] }';
const TOKENS = 'verify_token = "env:TOKEN"';

const home = makeHome();

/** Loads a generic source with these lines, with the real providers. */
function load(lines: string, env: Record<string, string> = ENV): Loaded {
  home.write(
    "hooklatch.toml",
    `[[source]]\nname = "ci"\nprovider = "generic"\npath = "/ci"\n${lines}\n[admin]\ntoken = "env:TOKEN"`,
  );
  const surroundings = { env, cwd: home.path() };
  return loadConfig(
    undefined,
    surroundings,
    { providers, layouts: ["releases"] },
    { systemFile: home.path("none.toml") },
  );
}

describe("a generic source", () => {
  for (const [what, lines, admitsClients, generatesToken] of [
    ["without settings", "", true, true],
    ["with a verify token", TOKENS, true, false],
    ["with bearer tokens", BEARER, false, false],
    ["with basic users", BASIC, false, false],
    ["with signatures", HMAC, false, false],
    ["with signatures and a verify token", `${HMAC}\n${TOKENS}`, true, false],
    [
      "that requires the client and a signature",
      `${HMAC}\nrequire = ["client", "hmac"]\nclient_timeout = "1h"\nclient_prefix_v6 = 64`,
      true,
      true,
    ],
    ["that requires bearer and hmac", `${HMAC}\n${BEARER}\nrequire = ["hmac", "bearer"]`, false, false],
  ] as const) {
    const clients = admitsClients ? "admits clients" : "has no handshake";
    test(`${what} ${clients} and ${generatesToken ? "generates" : "does not generate"} a verify token`, () => {
      const config = configOf(load(lines));
      const [source] = config.sources;
      expect(source?.handler.handshake !== null).toBe(admitsClients);
      expect(config.generated.map(({ file }) => file)).toEqual(
        generatesToken ? [home.path("hooklatch-data/secrets/ci.verify-token")] : [],
      );
    });
  }

  test("without a handshake ignores $CLIENT_AUTH_TIMEOUT", () => {
    expect(load(HMAC, { ...ENV, CLIENT_AUTH_TIMEOUT: "1" })).toMatchObject({ kind: "loaded", warnings: [] });
    expect(
      configOf(load("", { ...ENV, CLIENT_AUTH_TIMEOUT: "1" })).sources[0]?.handler.handshake,
    ).toMatchObject({
      lifetime: 3_600_000,
      prefixV6: 128,
    });
  });

  test("reads a password hash from a file and secrets from nested tables", async () => {
    home.write("ada.hash", `${HASH}\n`);
    const basic = 'basic = [{ user = "ada", hash = "file:ada.hash" }]';
    const [source] = configOf(load(`${basic}\n${HMAC}`)).sources;
    const request = post({ authorization: `Basic ${btoa("ada:password")}`, "x-signature": "" }, "");
    expect(await source?.handler.verify(request, null, new Date())).toMatchObject({ kind: "refused" });
    const alone = configOf(load(basic)).sources[0];
    expect(await alone?.handler.verify(request, null, new Date())).toEqual({ kind: "verified" });
  });

  test("causes warnings about short secrets in nested tables", () => {
    const short = 'hmac = { header = "x-signature", secrets = ["env:SECRET", "env:SHORT"] }';
    const loaded = load(short, { ...ENV, SHORT: "short" });
    expect(loaded.kind).toBe("loaded");
    expectFindings(loaded, [["hooklatch.toml: source[0].hmac.secrets[1]", "16"]]);
  });
});

describe("validation of a generic source", () => {
  const cases: readonly [what: string, lines: string, findings: readonly ExpectedFinding[]][] = [
    [
      "when it requires methods that are not set",
      `${HMAC}\nrequire = ["hmac", "bearer", "basic"]`,
      [
        ["require[1]", '"bearer"'],
        ["require[2]", '"basic"'],
      ],
    ],
    [
      "when it sets methods that it does not require",
      `${HMAC}\n${BEARER}\n${TOKENS}\nclient_timeout = "1h"\nrequire = ["bearer"]`,
      [
        ["verify_token", '"client"', '"require"'],
        ["client_timeout", '"client"', '"require"'],
        ["hmac", '"hmac"', '"require"'],
      ],
    ],
    [
      "when it configures clients and does not admit them",
      `${HMAC}\nclient_prefix_v6 = 64`,
      [["client_prefix_v6", '"client"', '"require"']],
    ],
    ["when it requires no method", "require = []", ["require"]],
    ["when it requires a method twice", 'require = ["client", "client"]', ["require"]],
    [
      "when it requires an unknown method",
      'require = ["digest"]',
      [["require[0]", '"client"', '"bearer"', '"basic"', '"hmac"', '"digest"']],
    ],
    ["when two methods use the same header", `${BEARER}\n${BASIC}`, [["basic", '"bearer"', "Authorization"]]],
    [
      "when its signature uses the header of its token",
      `${BEARER}\nhmac = { header = "authorization", secrets = ["env:SECRET"] }`,
      [["hmac.header", '"authorization"']],
    ],
    [
      "when its signature uses a header that is stored with deliveries",
      'hmac = { header = "User-Agent", secrets = ["env:SECRET"] }',
      [["hmac.header", '"user-agent"']],
    ],
    [
      "when its token is not valid in a header",
      'bearer = ["env:TOKEN", "env:SPACED"]',
      [["bearer[1]", "env:SPACED"]],
    ],
    [
      "when its hash is not an argon2id hash",
      BASIC.replace("env:HASH", "env:NO_HASH"),
      [["basic[0].hash", "argon2id", "env:NO_HASH"]],
    ],
    [
      "when its hash is a literal password",
      BASIC.replace("env:HASH", TOKEN),
      [["basic[0].hash", "argon2id"]],
    ],
    [
      "when two users have the same name",
      'basic = [{ user = "ada", hash = "env:HASH" }, { user = "ada", hash = "env:HASH" }]',
      [["basic[1].user", "basic[0]"]],
    ],
    [
      "when its secrets are missing",
      'basic = [{ user = "ada", hash = "env:GONE" }]\nhmac = { header = "x", secrets = ["env:SECRET", "file:gone"] }',
      [
        ["basic[0].hash", "GONE"],
        ["hmac.secrets[1]", "file:gone"],
      ],
    ],
    [
      "when its values have the wrong type",
      'bearer = "correct-horse"\nbasic = [{ user = "a:b", password = "correct-horse" }, "ada:correct-horse"]',
      [
        "bearer",
        "basic[0].hash",
        ["basic[0].password", '"user"', "hash"],
        ["basic[0].user", '"a:b"'],
        "basic[1]",
      ],
    ],
    [
      "when its signature settings are invalid",
      'client_prefix_v6 = 48\nhmac = { header = "x signature", algorithm = "sha1", encoding = "HEX", prefix = " a", secrets = [] }',
      [
        ["client_prefix_v6", "64", "128", "48"],
        ["hmac.header", '"x signature"'],
        ["hmac.algorithm", '"sha256"', '"sha512"', '"sha1"'],
        ["hmac.encoding", '"hex"', '"base64"', '"HEX"'],
        ["hmac.prefix", "64", '" a"'],
        "hmac.secrets",
      ],
    ],
  ];

  test.each(cases)("fails %s", (_what, lines, findings) => {
    const loaded = load(lines);
    expect(loaded.kind).toBe("invalid");
    expectFindings(
      loaded,
      findings.map((finding) => {
        const [path, ...mentions] = [finding].flat();
        return [`hooklatch.toml: source[0].${path}`, ...mentions];
      }),
    );
    expect(JSON.stringify(loaded)).not.toMatch(/correct|horse|battery/);
  });

  test("does not throw or reveal secrets for random values", () => {
    const keys = ["verify_token", "client_timeout", "client_prefix_v6", "bearer", "basic", "hmac", "require"];
    const word = fc.constantFrom("env:TOKEN", "env:HASH", "client", "hmac", "sha256", "x-signature", "1h");
    const plain = fc.oneof(
      word,
      fc.string().map((text) => `correct${text}`),
      fc.integer(),
      fc.boolean(),
    );
    const table = fc.dictionary(
      fc.constantFrom("user", "hash", "header", "secrets", "prefix", "x"),
      fc.oneof(plain, fc.array(plain)),
    );
    const value = fc.oneof(plain, fc.array(fc.oneof(plain, table), { maxLength: 3 }), table);
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...keys), value), (settings) => {
        const loaded = load(writeToml(settings));
        for (const finding of loaded.kind === "loaded" ? loaded.warnings : loaded.faults) {
          expect(describeIssue(finding)).not.toContain(TOKEN);
        }
      }),
    );
  });
});

/** Writes settings as lines of TOML. */
function writeToml(settings: Readonly<Record<string, unknown>>): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key} = ${writeValue(value)}`)
    .join("\n");
}

function writeValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(writeValue).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{ ${Object.entries(value)
    .map(([key, entry]) => `${key} = ${writeValue(entry)}`)
    .join(", ")} }`;
}
