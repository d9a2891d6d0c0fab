import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { parse, TomlError } from "smol-toml";
import { loadConfig } from "../../src/config/load.ts";
import { layouts } from "../../src/deploy/layouts/index.ts";
import { providers } from "../../src/providers/index.ts";
import { makeHome } from "./home.ts";

setDefaultTimeout(120_000);

/** The value of every secret in the text. No finding may repeat it. */
const MARK = "correct-horse-battery-staple";

/** A valid file with nearly every key, each on its own line. */
const VALID_FILE = `data_dir = "data"
[server]
host = "127.0.0.1"
port = 9000
max_body = "25MiB"
trusted_proxies = ["10.0.0.0/8", "unix"]
public_url = "https://user:${MARK}@hooks.example.com"
shutdown_grace = "30s"
[server.tls]
cert = "cert.pem"
key = "key.pem"
[admin]
port = 9001
token = "${MARK}-1"
[store]
keep_deliveries = "30d"
[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
secrets = ["${MARK}-2", "env:SECRET"]
[[source]]
name = "webhook"
provider = "generic"
path = "/webhook"
verify_token = "${MARK}-3"
client_timeout = "24h"
bearer = ["${MARK}-4"]
hmac = { header = "x-signature", secrets = ["${MARK}-5"], prefix = "sha256=" }
[[source]]
name = "users"
provider = "generic"
path = "/users"
basic = [{ user = "ada", hash = "${MARK}-6" }]
[[target]]
name = "blog"
source = "github"
repository = "octocat/blog"
branch = "main"
clone_url = "https://user:${MARK}@example.com/blog.git"
token = "${MARK}-7"
directory = "/srv/blog"
run = ["deploy --password ${MARK}", ["deploy", "${MARK}"]]
env = { PASSWORD = "${MARK}" }
health = { url = "http://user:${MARK}@127.0.0.1/", within = "30s" }
status_token = "${MARK}-8"
[[notify]]
url = "https://hooks.example.com/${MARK}"
secret = "whsec_${MARK}"
on = ["failed"]
`;
const LINES = VALID_FILE.split("\n");

const value = fc.constantFrom(
  "7",
  "-1",
  "1.5",
  "true",
  "nan",
  "1979-05-27",
  '""',
  "[]",
  "{}",
  "[[[]]]",
  '{ a = "b" }',
  '"\\u0000"',
  `"${MARK}"`,
  `["${MARK}"]`,
  `{ secret = "${MARK}" }`,
  MARK,
  `"${MARK}`,
  `'''${MARK}`,
);
/** Keys whose values are not secret are left out: findings may repeat those, such as the `source` of a target. */
const key = fc.constantFrom(
  "secrets",
  "verify_token",
  "bearer",
  "basic",
  "hmac",
  "token",
  "clone_url",
  "run",
  "after",
  "env",
  "health",
  "status_token",
  "url",
  "secret",
  "target",
  "notify",
  "store",
  "public_url",
  "verify_tokne",
  "x",
);
const line = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...LINES) },
  { weight: 4, arbitrary: fc.tuple(key, value).map(([name, written]) => `${name} = ${written}`) },
  fc.constantFrom(
    "[",
    "[[",
    "]]",
    "[source]",
    "[[source]]",
    "[target.x]",
    "[__proto__]",
    "[[notify]]",
    "=",
    "a.b.c = 1",
    '"" = 1',
    "\\",
    "#",
    "\ufeff",
    "\0",
  ),
  fc.string({ unit: "binary", maxLength: 10 }),
);
/** One edit of the valid file. */
const edit = fc.record({
  kind: fc.constantFrom("insert", "remove", "double", "replace", "cut", "swap"),
  at: fc.nat(LINES.length - 1),
  line,
  column: fc.nat(60),
});
type Edit = typeof edit extends fc.Arbitrary<infer One> ? One : never;

function apply(lines: readonly string[], { kind, at, line, column }: Edit): readonly string[] {
  const old = lines[at] ?? "";
  const put = {
    insert: [line, old],
    remove: [],
    double: [old, old],
    replace: [line],
    cut: [old.slice(0, column)],
    swap: [lines[at + 1] ?? "", old],
  }[kind];
  return lines.toSpliced(at, kind === "swap" ? 2 : 1, ...put);
}

const text = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .array(edit, { minLength: 1, maxLength: 6 })
      .map((edits) => edits.reduce(apply, LINES).join("\n")),
  },
  fc.array(line, { maxLength: 12 }).map((lines) => lines.join("\n")),
);

describe("a configuration of random text", () => {
  const home = makeHome();
  const lists = { providers, layouts: Object.keys(layouts) };

  function load(content: string) {
    const file = home.write("hooklatch.toml", content);
    const surroundings = { env: { SECRET: `${MARK}-9` }, cwd: home.path() };
    return {
      file,
      loaded: loadConfig(file, surroundings, lists, {
        systemFile: home.path("system.toml"),
      }),
    };
  }

  /** Whether the file has the first key of a path. */
  function isWritten(path: string, file: string): boolean {
    const [key = ""] = path.split(/[.[]/);
    return Object.hasOwn(parse(readFileSync(file, "utf8")), key);
  }

  /** Returns the error that the TOML parser throws for the content of the file, or null. */
  function syntaxErrorIn(file: string): TomlError | null {
    try {
      parse(new TextDecoder().decode(readFileSync(file)), { unsafeKeyBehaviour: "throw" });
      return null;
    } catch (error) {
      if (error instanceof TomlError) return error;
      throw error;
    }
  }

  test("loads, or is rejected with faults that each name the file and the place in it", () => {
    fc.assert(
      fc.property(text, (content) => {
        const { file, loaded } = load(content);
        if (loaded.kind === "loaded") return expect(loaded.config.file).toBe(file);
        expect(loaded.file).toBe(file);
        expect(loaded.faults).not.toEqual([]);
        for (const fault of loaded.faults) expect(fault.file).toBe(file);
        const syntaxError = syntaxErrorIn(file);
        if (syntaxError === null) {
          for (const { path, line } of loaded.faults) {
            expect(path).toMatch(/^[\w"-]/);
            // The two parsers agree on what is TOML.
            if (isWritten(path, file)) expect(line).toBeGreaterThan(0);
          }
        } else {
          const { line, column } = syntaxError;
          expect(loaded.faults.map(({ path, line: at }) => [path, at])).toEqual([["", line]]);
          expect(loaded.faults[0]?.message).toMatch(new RegExp(`\\b${column}\\b`));
        }
      }),
      { numRuns: 1500 },
    );
  });

  test("has findings that repeat no secret and contain no control characters", () => {
    fc.assert(
      fc.property(text, (content) => {
        const { loaded } = load(content);
        for (const { path, message } of loaded.kind === "loaded" ? loaded.warnings : loaded.faults) {
          expect(`${path}: ${message}`).not.toContain(MARK);
          expect(`${path}: ${message}`).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        }
      }),
      { numRuns: 1500 },
    );
  });
});
