import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { describeFinding, type Loaded, loadConfig } from "../../src/config/load.ts";
import { providers } from "../../src/providers/index.ts";
import { configOf, linesOf, makeHome } from "./home.ts";

const TOKEN = "correct-horse-battery-staple";
const HASH = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
const ENV = { TOKEN, SECRET: TOKEN, SPACED: "correct horse battery staple", HASH, NO_HASH: TOKEN };
const BEARER = 'bearer = ["env:TOKEN"]';
const BASIC = 'basic = [{ user = "ada", hash = "env:HASH" }]';
const HMAC = 'hmac = { header = "x-signature", secrets = ["env:SECRET"] }';
const TOKENS = 'verify_token = "env:TOKEN"';

const home = makeHome();

/** Loads a generic source with these lines in it, with the providers that there are. */
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
  for (const [what, lines, admitsClients, generated] of [
    ["where nothing is set", "", true, ["verify token of source ci"]],
    ["with a verify token", TOKENS, true, []],
    ["with bearer tokens", BEARER, false, []],
    ["with basic users", BASIC, false, []],
    ["with signatures", HMAC, false, []],
    ["with signatures beside a verify token", `${HMAC}\n${TOKENS}`, true, []],
    [
      "that requires the client and a signature",
      `${HMAC}\nrequire = ["client", "hmac"]\nclient_timeout = "1h"\nclient_prefix_v6 = 64`,
      true,
      ["verify token of source ci"],
    ],
    ["that requires bearer and hmac", `${HMAC}\n${BEARER}\nrequire = ["hmac", "bearer"]`, false, []],
  ] as const) {
    const clients = admitsClients ? "admits clients" : "has no handshake";
    const made = generated.length > 0 ? "gets a verify token made" : "gets none made";
    test(`${what} ${clients} and ${made}`, () => {
      const config = configOf(load(lines));
      const [source] = config.sources;
      expect(source?.dialect.handshake !== null).toBe(admitsClients);
      expect(config.generated.map((each) => each.what)).toEqual([...generated]);
    });
  }

  test("without a handshake takes no notice of $CLIENT_AUTH_TIMEOUT", () => {
    expect(linesOf(load(HMAC, { ...ENV, CLIENT_AUTH_TIMEOUT: "1" }))).toEqual([]);
    expect(
      configOf(load("", { ...ENV, CLIENT_AUTH_TIMEOUT: "1" })).sources[0]?.dialect.handshake,
    ).toMatchObject({
      lifetime: 3_600_000,
      prefixV6: 128,
    });
  });

  test("finds its hash in a file, and its nested secrets wherever they stand", async () => {
    home.write("ada.hash", `${HASH}\n`);
    const basic = 'basic = [{ user = "ada", hash = "file:ada.hash" }]';
    const [source] = configOf(load(`${basic}\n${HMAC}`)).sources;
    const headers = new Headers({ authorization: `Basic ${btoa("ada:password")}`, "x-signature": "" });
    const request = { headers, body: new Uint8Array() };
    expect(await source?.dialect.verify(request, null, new Date())).toMatchObject({ ok: false });
    const alone = configOf(load(basic)).sources[0];
    expect(await alone?.dialect.verify(request, null, new Date())).toEqual({ ok: true });
  });

  test("is warned of short secrets in nested tables, at their place", () => {
    const short = 'hmac = { header = "x-signature", secrets = ["env:SECRET", "env:SHORT"] }';
    expect(linesOf(load(short, { ...ENV, SHORT: "short" }))).toEqual([
      "hooklatch.toml: source[0].hmac.secrets[1]: the secret is shorter than 16 bytes and may be guessed",
    ]);
  });
});

describe("a generic source is refused", () => {
  const method = '"client", "bearer", "basic" or "hmac"';
  const hashed = "expected an argon2id hash as `hooklatch hash` prints it ($argon2id$v=19$…) in";
  for (const [what, lines, faults] of [
    [
      "when it requires what is not set",
      `${HMAC}\nrequire = ["hmac", "bearer", "basic"]`,
      [
        'require[1]: expected "bearer" to be set beside it, found none',
        'require[2]: expected "basic" to be set beside it, found none',
      ],
    ],
    [
      "when it sets what it does not require",
      `${HMAC}\n${BEARER}\n${TOKENS}\nclient_timeout = "1h"\nrequire = ["bearer"]`,
      [
        'verify_token: expected "client" in "require" beside it, found none',
        'client_timeout: expected "client" in "require" beside it, found none',
        'hmac: expected "hmac" in "require" beside it, found none',
      ],
    ],
    [
      "when it says how clients are admitted and admits none",
      `${HMAC}\nclient_prefix_v6 = 64`,
      ['client_prefix_v6: expected "client" in "require" beside it, found none'],
    ],
    [
      "when it requires nothing",
      "require = []",
      ["require: expected a list of at least one method, each once, found []"],
    ],
    [
      "when it requires something twice",
      'require = ["client", "client"]',
      ['require: expected a list of at least one method, each once, found ["client","client"]'],
    ],
    [
      "when it requires what there is not",
      'require = ["digest"]',
      [`require[0]: expected ${method}, found "digest"`],
    ],
    [
      "when it wants two things of one header",
      `${BEARER}\n${BASIC}`,
      ['basic: expected no "bearer" beside it: a request has but one Authorization header'],
    ],
    [
      "when its signature is where its token is",
      `${BEARER}\nhmac = { header = "authorization", secrets = ["env:SECRET"] }`,
      [
        'hmac.header: expected a header for the signature alone, found "authorization", which holds something else',
      ],
    ],
    [
      "when its signature is where what is kept with a delivery stands",
      'hmac = { header = "User-Agent", secrets = ["env:SECRET"] }',
      [
        'hmac.header: expected a header for the signature alone, found "user-agent", which holds something else',
      ],
    ],
    [
      "when its token fits in no header",
      'bearer = ["env:TOKEN", "env:SPACED"]',
      ["bearer[1]: expected a token of visible ASCII characters, without spaces, in env:SPACED"],
    ],
    [
      "when its hash is none",
      BASIC.replace("env:HASH", "env:NO_HASH"),
      [`basic[0].hash: ${hashed} env:NO_HASH`],
    ],
    [
      "when its hash is a password written out",
      BASIC.replace("env:HASH", TOKEN),
      [`basic[0].hash: ${hashed} [literal secret]`],
    ],
    [
      "when two users have one name",
      'basic = [{ user = "ada", hash = "env:HASH" }, { user = "ada", hash = "env:HASH" }]',
      ["basic[1].user: expected a user that no other entry has, found the one of basic[0]"],
    ],
    [
      "when its secrets are not there",
      'basic = [{ user = "ada", hash = "env:GONE" }]\nhmac = { header = "x", secrets = ["env:SECRET", "file:gone"] }',
      [
        "basic[0].hash: the environment variable GONE is not set",
        "hmac.secrets[1]: file:gone does not exist",
      ],
    ],
    [
      "when what it sets has another form",
      'bearer = "correct-horse"\nbasic = [{ user = "a:b", password = "correct-horse" }, "ada:correct-horse"]',
      [
        "bearer: expected a list of secrets, found a string",
        'basic[0].hash: expected a secret written as "env:NAME", "file:PATH" or "credential:NAME", found nothing',
        'basic[0].password: unknown key "password": the nearest known key is "user"; there are user, hash',
        'basic[0].user: expected a name without colons and control characters, found "a:b"',
        "basic[1]: expected a table, found a string",
      ],
    ],
    [
      "when its signature cannot be",
      'client_prefix_v6 = 48\nhmac = { header = "x signature", algorithm = "sha1", encoding = "HEX", prefix = " a", secrets = [] }',
      [
        "client_prefix_v6: expected a whole number of bits from 64 to 128, found 48",
        'hmac.header: expected the name of a header, such as "x-signature", found "x signature"',
        'hmac.algorithm: expected "sha256" or "sha512", found "sha1"',
        'hmac.encoding: expected "hex" or "base64", found "HEX"',
        'hmac.prefix: expected at most 64 ASCII characters that do not begin with a space, such as "sha256=", found " a"',
        "hmac.secrets: expected a list of secrets, found an empty list",
      ],
    ],
  ] as const) {
    test(what, () => {
      const loaded = load(lines);
      expect(loaded.ok).toBe(false);
      expect([...linesOf(loaded)].sort()).toEqual(
        faults.map((fault) => `hooklatch.toml: source[0].${fault}`).sort(),
      );
      expect(JSON.stringify(loaded)).not.toMatch(/correct|horse|battery/);
    });
  }

  test("or taken, without throwing, whatever the values", () => {
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
        for (const finding of loaded.ok ? loaded.warnings : loaded.faults) {
          expect(describeFinding(finding)).not.toContain(TOKEN);
        }
      }),
    );
  });
});

/** Settings as lines of TOML. */
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
