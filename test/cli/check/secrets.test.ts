import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { checkSecrets, isGuessable } from "../../../src/cli/check/secrets.ts";
import { Secret } from "../../../src/domain/secret.ts";

setDefaultTimeout(120_000);

function secret(value: string | null, name = "NAME"): Secret {
  const made = new Secret({ kind: "env", name });
  if (value !== null) made.load(value);
  return made;
}

function kept(what: string, value: string | null) {
  return { what, source: null, secret: secret(value), file: `/data/secrets/${what}` };
}

const lines = (...given: Parameters<typeof checkSecrets>) =>
  checkSecrets(...given).map(({ level, text }) => `${level} ${text}`);

const GOOD = "f3b2c1d0a9e8476554433221100ffeed";

describe("check of secrets", () => {
  test("tells in one line which ones are made, and in one which the first start makes", () => {
    const generated = [kept("admin token", GOOD), kept("one", null), kept("two", null)];
    expect(lines(generated, [])).toEqual([
      "ok secrets in /data/secrets: admin token",
      "ok secrets that the first start makes, in /data/secrets: one, two",
    ]);
    expect(lines([], [])).toEqual([]);
  });

  test.each([
    "xxxxxxxxxxxxxxxxxxxxxxxx",
    "abababababababababab",
    "0123456789abcdef",
    "abcdefghijklmnopqrstuvwxyz",
    "changeme-changeme-changeme",
    "My-Super-Secret-Token-2026!",
    "your-webhook-secret-here",
    "passwordpassword",
  ])("warns of %p without repeating it", (value) => {
    const [line, ...others] = lines([], [{ owner: "source github", secret: secret(value, "HOOK") }]);
    expect(line).toBe(
      "warn a secret of source github (env:HOOK) is easily guessed: take a random one (openssl rand -hex 32)",
    );
    expect(others).toEqual([]);
  });

  test("does not show a literal one either", () => {
    const literal = new Secret({ kind: "literal", value: "changeme-changeme" });
    literal.load("changeme-changeme");
    expect(lines([], [{ owner: "source github", secret: literal }])[0]).toContain("([literal secret])");
  });

  test("takes what a generator makes, and a sentence of one's own", () => {
    for (const encoding of ["hex", "base64", "base64url"] as const) {
      for (let round = 0; round < 200; round += 1) {
        expect(isGuessable(randomBytes(32).toString(encoding))).toBe(false);
      }
    }
    expect(isGuessable("a sentence of the owner's own, long enough")).toBe(false);
  });

  test("warns of one secret for two things, and not of one twice within a source or of equal hashes", () => {
    const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNo";
    const owned = [
      { owner: "the admin listener", secret: secret(GOOD) },
      { owner: "source a", secret: secret(`${GOOD}a`) },
      { owner: "source a", secret: secret(`${GOOD}a`) },
      { owner: "source a", secret: secret(hash) },
      { owner: "source b", secret: secret(hash) },
      { owner: "source b", secret: secret(GOOD) },
    ];
    expect(lines([], owned)).toEqual([
      "warn the admin listener and source b have the same secret: who knows it for one has the other; give each its own",
    ]);
  });
});
