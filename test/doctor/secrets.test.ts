import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { formatHex } from "../../src/config/secrets.ts";
import { checkSecrets } from "../../src/doctor/secrets.ts";
import { Secret } from "../../src/lib/secret.ts";
import { levelsOf, linesOf } from "./results.ts";

setDefaultTimeout(120_000);

function secret(value: string | null, name = "NAME"): Secret {
  const created = new Secret({ kind: "env", name });
  if (value !== null) created.load(value);
  return created;
}

/** A generated secret; `value` is null before the first start. */
function generated(what: string, value: string | null) {
  return { what, source: null, secret: secret(value), file: `/data/secrets/${what}`, format: formatHex };
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
