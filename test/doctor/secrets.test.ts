import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { checkSecrets, isGuessable } from "../../src/doctor/secrets.ts";
import { Secret } from "../../src/lib/secret.ts";
import { levelsOf, linesOf } from "../cli/check/results.ts";

setDefaultTimeout(120_000);

function secret(value: string | null, name = "NAME"): Secret {
  const created = new Secret({ kind: "env", name });
  if (value !== null) created.load(value);
  return created;
}

/** A generated secret; `value` is null before the first start. */
function generated(what: string, value: string | null) {
  return { what, source: null, secret: secret(value), file: `/data/secrets/${what}` };
}

const check = (...args: Parameters<typeof checkSecrets>) => linesOf(checkSecrets(...args));

const GOOD = "f3b2c1d0a9e8476554433221100ffeed";

describe("secret check", () => {
  test("lists the existing secrets, and those that the first start creates", () => {
    const lines = check([generated("admin token", GOOD), generated("one", null), generated("two", null)], []);
    expect(levelsOf(lines)).toEqual(["ok", "ok"]);
    for (const line of lines) expect(line).toContain("/data/secrets");
    expect(lines[0]).toContain("admin token");
    expect(lines[1]).toContain("one, two");
    expect(lines).toMatchSnapshot();
    expect(check([], [])).toEqual([]);
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
  ])("warns about the weak secret %p without printing it", (value) => {
    const lines = check([], [{ owner: "source github", secret: secret(value, "HOOK") }]);
    expect(levelsOf(lines)).toEqual(["warn"]);
    for (const fact of ["source github", "env:HOOK"]) expect(lines[0]).toContain(fact);
    expect(lines[0]).not.toContain(value);
  });

  test("suggests how to replace a weak secret", () => {
    const weak = { owner: "source github", secret: secret("changeme-changeme", "HOOK") };
    expect(check([], [weak])).toMatchSnapshot();
  });

  test("does not print a weak secret that is a literal in the configuration", () => {
    const literal = new Secret({ kind: "literal", value: "changeme-changeme" });
    literal.load("changeme-changeme");
    const lines = check([], [{ owner: "source github", secret: literal }]);
    expect(levelsOf(lines)).toEqual(["warn"]);
    expect(lines[0]).not.toContain("changeme");
    expect(lines).toMatchSnapshot();
  });

  test("accepts generated secrets and long sentences", () => {
    for (const encoding of ["hex", "base64", "base64url"] as const) {
      for (let round = 0; round < 200; round += 1) {
        expect(isGuessable(randomBytes(32).toString(encoding))).toBe(false);
      }
    }
    expect(isGuessable("a sentence of the owner's own, long enough")).toBe(false);
  });

  test("warns about a secret with two owners, but not about a repetition in one source or equal hashes", () => {
    const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNo";
    const owned = [
      { owner: "the admin listener", secret: secret(GOOD) },
      { owner: "source a", secret: secret(`${GOOD}a`) },
      { owner: "source a", secret: secret(`${GOOD}a`) },
      { owner: "source a", secret: secret(hash) },
      { owner: "source b", secret: secret(hash) },
      { owner: "source b", secret: secret(GOOD) },
    ];
    const lines = check([], owned);
    expect(levelsOf(lines)).toEqual(["warn"]);
    for (const owner of ["the admin listener", "source b"]) expect(lines[0]).toContain(owner);
    expect(lines[0]).not.toContain(GOOD);
    expect(lines).toMatchSnapshot();
  });
});
