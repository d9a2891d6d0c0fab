import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import type { Client } from "../../../src/domain/client.ts";
import type { RefusalCode } from "../../../src/domain/codes.ts";
import type { RefusalStatus, SourceHandler, VerifyResult } from "../../../src/domain/provider.ts";
import { AppError } from "../../../src/lib/errors.ts";
import { Secret } from "../../../src/lib/secret.ts";
import { generic } from "../../../src/providers/generic/index.ts";
import { DESTINATION, post } from "../../support/request.ts";
import { catchError } from "../catch-error.ts";
import { loadSecret } from "../load-secret.ts";

setDefaultTimeout(120_000);

const NOW = new Date("2026-11-21T20:30:00Z");
const BODY = new TextEncoder().encode('{"hello":"world"}');
/** The password "password" at a low cost. */
const HASH = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

const bearer = [loadSecret("the old token"), loadSecret("the-new-token")];
const basic = [{ user: "ada", hash: loadSecret(HASH) }];
const hmac = { header: "X-Signature", prefix: "sha256=", secrets: [loadSecret("one"), loadSecret("two")] };
const SIGNATURE = sign("two");

const VERIFIED = { kind: "verified" } as const;
const UNKNOWN = refused("not authorised", "client_unknown");
const EXPIRED = refused("authorisation timeout", "client_expired");
const NO_TOKEN = refused("not authorised", "token_missing");
const WRONG_TOKEN = { ...refused("not authorised", "token_mismatch"), isThrottled: true };
const NO_CREDENTIALS = refused("not authorised", "credentials_missing");
const WRONG_CREDENTIALS = { ...refused("not authorised", "credentials_mismatch"), isThrottled: true };
const UNSIGNED = refused("signature verification failed", "signature_missing");
const MISMATCH = refused("signature verification failed", "signature_mismatch");

const authorised: Client = {
  source: "ci",
  address: "192.0.2.1",
  authorisedAt: NOW,
  expiresAt: new Date(NOW.getTime() + 1000),
};
const expired: Client = { ...authorised, expiresAt: new Date(NOW.getTime() - 1) };

function refused(status: RefusalStatus, code: RefusalCode): VerifyResult & { kind: "refused" } {
  return { kind: "refused", status, code, isThrottled: false };
}

function sign(secret: string, body = BODY): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

function basicAuth(user: string, password: string) {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };
}

async function verify(handler: SourceHandler, headers: Record<string, string>, client: Client | null = null) {
  return handler.verify(post(headers, BODY), client, NOW);
}

describe("generic source with bearer tokens", () => {
  const handler = generic.createHandler({ bearer });

  for (const [what, headers, expected] of [
    ["accepts a token", { authorization: "Bearer the-new-token" }, VERIFIED],
    ["accepts another configured token", { authorization: "bearer the old token" }, VERIFIED],
    ["rejects a missing token without counting a failed attempt", {}, NO_TOKEN],
    ["rejects an empty token without counting a failed attempt", { authorization: "Bearer" }, NO_TOKEN],
    ["rejects another scheme without counting a failed attempt", basicAuth("ada", "the-new-token"), NO_TOKEN],
    ["counts a wrong token as a failed attempt", { authorization: "Bearer the-new-toke" }, WRONG_TOKEN],
    [
      "counts a repeated token as a failed attempt",
      { authorization: "Bearer the-new-token, Bearer the-new-token" },
      WRONG_TOKEN,
    ],
  ] as const) {
    test(what, async () => expect(await verify(handler, headers)).toEqual(expected));
  }

  test("rejects any other header", async () => {
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[ -~]*$/), async (text) => {
        const right = ["the old token", "the-new-token"].includes(text.trim());
        expect((await verify(handler, { authorization: text })).kind).toBe("refused");
        const result = await verify(handler, { authorization: `Bearer ${text}` });
        expect(result.kind === "verified").toBe(right);
      }),
    );
  });

  test("has no handshake and rejects authorised clients", async () => {
    expect(handler.handshake).toBeNull();
    expect(await verify(handler, {}, authorised)).toEqual(NO_TOKEN);
  });
});

describe("generic source with basic users", () => {
  const handler = generic.createHandler({ basic });

  for (const [what, headers, expected] of [
    ["accepts a password", basicAuth("ada", "password"), VERIFIED],
    ["accepts a cached password", basicAuth("ada", "password"), VERIFIED],
    ["counts a wrong password as a failed attempt", basicAuth("ada", "Password"), WRONG_CREDENTIALS],
    ["counts an empty password as a failed attempt", basicAuth("ada", ""), WRONG_CREDENTIALS],
    ["counts an unknown user as a failed attempt", basicAuth("eve", "password"), WRONG_CREDENTIALS],
    ["rejects missing credentials without counting a failed attempt", {}, NO_CREDENTIALS],
    [
      "rejects malformed credentials without counting a failed attempt",
      { authorization: "Basic ada:password" },
      NO_CREDENTIALS,
    ],
    [
      "rejects another scheme without counting a failed attempt",
      { authorization: "Bearer password" },
      NO_CREDENTIALS,
    ],
  ] as const) {
    test(what, async () => expect(await verify(handler, headers)).toEqual(expected));
  }
});

describe("generic source with signatures", () => {
  const handler = generic.createHandler({ hmac });

  for (const [what, headers, expected] of [
    ["accepts a signature made with any configured secret", { "x-signature": SIGNATURE }, VERIFIED],
    ["rejects a missing signature", {}, UNSIGNED],
    ["rejects an empty signature", { "x-signature": "" }, MISMATCH],
    ["rejects a signature made with another secret", { "x-signature": sign("three") }, MISMATCH],
    ["rejects a signature of another body", { "x-signature": sign("two", new Uint8Array()) }, MISMATCH],
    ["rejects a repeated signature", { "x-signature": `${SIGNATURE}, ${SIGNATURE}` }, MISMATCH],
    ["rejects a signature without its prefix", { "x-signature": SIGNATURE.slice(7) }, MISMATCH],
    ["rejects a signature in another header", { "x-hub-signature-256": SIGNATURE }, UNSIGNED],
  ] as const) {
    test(what, async () => expect(await verify(handler, headers)).toEqual(expected));
  }
});

describe("generic source with several required methods", () => {
  const all = generic.createHandler({ verify_token: loadSecret("t0k3n"), bearer, hmac });
  const [token, signature] = [{ authorization: "Bearer the-new-token" }, { "x-signature": SIGNATURE }];

  for (const [what, headers, client, expected] of [
    ["accepts a request that passes all of them", { ...token, ...signature }, authorised, VERIFIED],
    ["rejects an unknown client that passes the others", { ...token, ...signature }, null, UNKNOWN],
    ["rejects an expired client that passes the others", { ...token, ...signature }, expired, EXPIRED],
    ["rejects a client with only a signature", signature, authorised, NO_TOKEN],
    ["rejects a client with only a token", token, authorised, UNSIGNED],
    ["rejects a client without token and signature", {}, authorised, NO_TOKEN],
  ] as const) {
    test(what, async () => expect(await verify(all, headers, client)).toEqual(expected));
  }

  test("does not check the password when another check failed", async () => {
    const unloaded = [{ user: "ada", hash: new Secret({ kind: "env", name: "MISSING" }) }];
    const handler = generic.createHandler({ basic: unloaded, hmac });
    expect(await verify(handler, basicAuth("ada", "password"))).toEqual(UNSIGNED);
    const error = await catchError(() => verify(handler, { ...basicAuth("ada", "password"), ...signature }));
    expect(error.message).toContain("env:MISSING");
    expect(error.message).toMatchSnapshot();
  });
});

describe("generic source with `require`", () => {
  test("authorises clients by handshake, for the configured IPv6 prefix, when it lists `client`", () => {
    const { handshake } = generic.createHandler({ hmac, require: ["hmac", "client"], client_prefix_v6: 64 });
    expect(handshake?.prefixV6).toBe(64);
    expect(generic.createHandler({}).handshake?.prefixV6).toBe(128);
  });

  test("throws when the list is empty", async () => {
    const error = await catchError(() => generic.createHandler({ require: [] }));
    expect(error.message).toMatchSnapshot();
  });

  for (const method of ["bearer", "basic", "hmac"] as const) {
    test(`rejects every request when it lists ${method} and ${method} is not configured`, async () => {
      const handler = generic.createHandler({ require: [method] });
      const headers = { ...basicAuth("", ""), "x-signature": "" };
      expect((await verify(handler, headers, authorised)).kind).toBe("refused");
      expect((await verify(handler, { authorization: "Bearer " }, authorised)).kind).toBe("refused");
    });
  }
});

describe("generic source handler > compose", () => {
  const ping = { kind: "ping", deliveryId: "1", form: false, repository: "octocat/blog" } as const;

  test("throws for a source with a password", async () => {
    const error = await catchError(() => generic.createHandler({ basic }).compose(ping, DESTINATION));
    expect(error).toBeInstanceOf(AppError);
    expect(error.message).toMatchSnapshot();
  });

  test("signs with the configured algorithm and encoding", () => {
    const secrets = [loadSecret("one")];
    const handler = generic.createHandler({
      hmac: { header: "Authorization", algorithm: "sha512", encoding: "base64", prefix: "HMAC ", secrets },
    });
    const { headers, body } = handler.compose(ping, DESTINATION);
    const expected = createHmac("sha512", "one").update(body).digest("base64");
    expect(headers.get("authorization")).toBe(`HMAC ${expected}`);
    expect(handler.verify(post(headers, body), null, NOW)).toEqual(VERIFIED);
  });
});
