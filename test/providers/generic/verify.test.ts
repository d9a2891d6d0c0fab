import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import type { Client } from "../../../src/domain/client.ts";
import { Fault } from "../../../src/domain/fault.ts";
import type { Dialect } from "../../../src/domain/provider.ts";
import { Secret } from "../../../src/domain/secret.ts";
import { generic } from "../../../src/providers/generic.ts";
import { loadSecret } from "../load-secret.ts";

setDefaultTimeout(120_000);

const NOW = new Date("2026-11-21T20:30:00Z");
const BODY = new TextEncoder().encode('{"hello":"world"}');
/** The password "password", at a cost that tests can afford. */
const HASH = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

const bearer = [loadSecret("the old token"), loadSecret("the-new-token")];
const basic = [{ user: "ada", hash: loadSecret(HASH) }];
const hmac = { header: "X-Signature", prefix: "sha256=", secrets: [loadSecret("one"), loadSecret("two")] };
const SIGNATURE = sign("two");

const VERIFIED = { ok: true } as const;
const STRANGER = { ok: false, refusal: "not authorised", guess: false } as const;
const GUESSED = { ok: false, refusal: "not authorised", guess: true } as const;
const EXPIRED = { ok: false, refusal: "authorisation timeout", guess: false } as const;
const UNSIGNED = { ok: false, refusal: "signature verification failed", guess: false } as const;

const admitted: Client = {
  source: "ci",
  address: "192.0.2.1",
  authorisedAt: NOW,
  expiresAt: new Date(NOW.getTime() + 1000),
};
const expired: Client = { ...admitted, expiresAt: new Date(NOW.getTime() - 1) };

function sign(secret: string, body = BODY): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

function basicly(user: string, password: string) {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };
}

async function verify(dialect: Dialect, headers: Record<string, string>, client: Client | null = null) {
  return dialect.verify({ headers: new Headers(headers), body: BODY }, client, NOW);
}

describe("a source with bearer tokens", () => {
  const dialect = generic.open({ bearer });

  for (const [what, headers, verdict] of [
    ["accepts a token", { authorization: "Bearer the-new-token" }, VERIFIED],
    ["accepts another of its tokens", { authorization: "bearer the old token" }, VERIFIED],
    ["refuses no token, which is no guess", {}, STRANGER],
    ["refuses an empty token, which is no guess", { authorization: "Bearer" }, STRANGER],
    ["refuses another scheme, which is no guess", basicly("ada", "the-new-token"), STRANGER],
    ["refuses a wrong token as a guess", { authorization: "Bearer the-new-toke" }, GUESSED],
    ["refuses the token twice", { authorization: "Bearer the-new-token, Bearer the-new-token" }, GUESSED],
  ] as const) {
    test(what, async () => expect(await verify(dialect, headers)).toEqual(verdict));
  }

  test("accepts no other header", async () => {
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[ -~]*$/), async (text) => {
        const right = ["the old token", "the-new-token"].includes(text.trim());
        expect((await verify(dialect, { authorization: text })).ok).toBe(false);
        expect((await verify(dialect, { authorization: `Bearer ${text}` })).ok).toBe(right);
      }),
    );
  });

  test("knows no handshake, whatever the client", async () => {
    expect(dialect.handshake).toBeNull();
    expect(await verify(dialect, {}, admitted)).toEqual(STRANGER);
  });
});

describe("a source with basic users", () => {
  const dialect = generic.open({ basic });

  for (const [what, headers, verdict] of [
    ["accepts a password", basicly("ada", "password"), VERIFIED],
    ["accepts it again", basicly("ada", "password"), VERIFIED],
    ["refuses a wrong password as a guess", basicly("ada", "Password"), GUESSED],
    ["refuses an empty password as a guess", basicly("ada", ""), GUESSED],
    ["refuses an unknown user as a guess", basicly("eve", "password"), GUESSED],
    ["refuses no credentials, which is no guess", {}, STRANGER],
    ["refuses broken credentials, which is no guess", { authorization: "Basic ada:password" }, STRANGER],
    ["refuses another scheme, which is no guess", { authorization: "Bearer password" }, STRANGER],
  ] as const) {
    test(what, async () => expect(await verify(dialect, headers)).toEqual(verdict));
  }
});

describe("a source with signatures", () => {
  const dialect = generic.open({ hmac });

  for (const [what, headers, verdict] of [
    ["accepts a signature under any of its secrets", { "x-signature": SIGNATURE }, VERIFIED],
    ["refuses none", {}, UNSIGNED],
    ["refuses an empty one", { "x-signature": "" }, UNSIGNED],
    ["refuses one under another secret", { "x-signature": sign("three") }, UNSIGNED],
    ["refuses one of another body", { "x-signature": sign("two", new Uint8Array()) }, UNSIGNED],
    ["refuses it twice", { "x-signature": `${SIGNATURE}, ${SIGNATURE}` }, UNSIGNED],
    ["refuses it without its prefix", { "x-signature": SIGNATURE.slice(7) }, UNSIGNED],
    ["refuses it in another header", { "x-hub-signature-256": SIGNATURE }, UNSIGNED],
  ] as const) {
    test(what, async () => expect(await verify(dialect, headers)).toEqual(verdict));
  }
});

describe("a source that requires several", () => {
  const all = generic.open({ verify_token: loadSecret("t0k3n"), bearer, hmac });
  const [token, signature] = [{ authorization: "Bearer the-new-token" }, { "x-signature": SIGNATURE }];

  for (const [what, headers, client, verdict] of [
    ["accepts all of them together", { ...token, ...signature }, admitted, VERIFIED],
    ["refuses a stranger with all else", { ...token, ...signature }, null, STRANGER],
    ["refuses a client whose time ran out with all else", { ...token, ...signature }, expired, EXPIRED],
    ["refuses a client with a signature alone", signature, admitted, STRANGER],
    ["refuses a client with a token alone", token, admitted, UNSIGNED],
    ["refuses a client with nothing", {}, admitted, STRANGER],
  ] as const) {
    test(what, async () => expect(await verify(all, headers, client)).toEqual(verdict));
  }

  test("never looks at a password when another check failed already", async () => {
    const unloaded = [{ user: "ada", hash: new Secret({ kind: "env", name: "MISSING" }) }];
    const dialect = generic.open({ basic: unloaded, hmac });
    expect(await verify(dialect, basicly("ada", "password"))).toEqual(UNSIGNED);
    await expect(verify(dialect, { ...basicly("ada", "password"), ...signature })).rejects.toThrow(
      "not loaded",
    );
  });
});

describe("a source that requires by name", () => {
  test("the client and a signature lets clients in by a handshake, with their subnet where that is said", () => {
    const { handshake } = generic.open({ hmac, require: ["hmac", "client"], client_prefix_v6: 64 });
    expect(handshake?.prefixV6).toBe(64);
    expect(generic.open({}).handshake?.prefixV6).toBe(128);
  });

  test("nothing is not opened at all", () => {
    expect(() => generic.open({ require: [] })).toThrow("open to everybody");
  });

  for (const method of ["bearer", "basic", "hmac"] as const) {
    test(`${method}, which is not set, is closed to everybody`, async () => {
      const dialect = generic.open({ require: [method] });
      const headers = { ...basicly("", ""), "x-signature": "" };
      expect((await verify(dialect, headers, admitted)).ok).toBe(false);
      expect((await verify(dialect, { authorization: "Bearer " }, admitted)).ok).toBe(false);
    });
  }
});

describe("what send composes", () => {
  const ping = { kind: "ping", deliveryId: "1", form: false, repository: "octocat/blog" } as const;

  test("for a source with a password is a fault that says why", () => {
    expect(() => generic.open({ basic }).compose(ping)).toThrow(Fault);
    expect(() => generic.open({ basic }).compose(ping)).toThrow("only its hash is known");
  });

  test("for SHA-512 in base64 is signed so", () => {
    const secrets = [loadSecret("one")];
    const dialect = generic.open({
      hmac: { header: "Authorization", algorithm: "sha512", encoding: "base64", prefix: "HMAC ", secrets },
    });
    const { headers, body } = dialect.compose(ping);
    const expected = createHmac("sha512", "one").update(body).digest("base64");
    expect(headers.get("authorization")).toBe(`HMAC ${expected}`);
    expect(dialect.verify({ headers, body }, null, NOW)).toEqual(VERIFIED);
  });
});
