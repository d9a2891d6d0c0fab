import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { RefusalCode } from "../../../src/domain/codes.ts";
import { Secret } from "../../../src/lib/secret.ts";
import { createHandshake } from "../../../src/providers/generic/handshake.ts";
import { catchError } from "../catch-error.ts";
import { loadSecret } from "../load-secret.ts";

const SETTINGS = { lifetime: 1000, prefixV6: 128 };
const handshake = createHandshake(loadSecret("t0k3n"), SETTINGS);
const FAILED_ATTEMPT = { kind: "refused", code: "token_mismatch", isThrottled: true } as const;

const refused = (code: RefusalCode) => ({ kind: "refused", code, isThrottled: false }) as const;

function verify(query: string, authorization?: string) {
  const headers = new Headers(authorization === undefined ? {} : { authorization });
  return handshake.verify(new URLSearchParams(query), headers);
}

describe("generic handshake > accepts a token", () => {
  for (const [how, query, authorization, challenge] of [
    ["in verify_token", "verify_token=t0k3n", undefined, null],
    ["as a Bearer token", "", "Bearer t0k3n", null],
    ["with a scheme in any case", "", "bEARER   t0k3n", null],
    [
      "in hub.verify_token and returns the challenge",
      "hub.mode=subscribe&hub.verify_token=t0k3n&hub.challenge=1158201444",
      undefined,
      "1158201444",
    ],
    ["in hub.verify_token without a challenge", "hub.mode=subscribe&hub.verify_token=t0k3n", undefined, null],
    ["with an empty challenge", "hub.mode=subscribe&hub.verify_token=t0k3n&hub.challenge=", undefined, ""],
    [
      "with a challenge of 1024 characters",
      `hub.mode=subscribe&hub.verify_token=t0k3n&hub.challenge=${"x".repeat(1024)}`,
      undefined,
      "x".repeat(1024),
    ],
    ["together with unrelated parameters", "verify_token=t0k3n&hub.challenge=1&other=2", undefined, null],
    ["together with Basic credentials of a proxy", "verify_token=t0k3n", "Basic dXNlcjpwYXNz", null],
  ] as const) {
    test(how, () => {
      expect(verify(query, authorization)).toEqual({ kind: "verified", challenge });
    });
  }
});

describe("generic handshake > counts a GET as a failed attempt", () => {
  for (const [what, query, authorization] of [
    ["with a wrong token", "verify_token=wrong", undefined],
    ["with extra characters after the token", "verify_token=t0k3n0", undefined],
    ["with a prefix of the token", "verify_token=t0k3", undefined],
    ["with the token in another case", "verify_token=T0K3N", undefined],
    ["with the token and a space", "verify_token=t0k3n+", undefined],
    ["with the token and a NUL", "verify_token=t0k3n%00", undefined],
    ["with two Bearer headers", "", "Bearer t0k3n, Bearer t0k3n"],
    [
      "with a valid challenge and a wrong token",
      "hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1",
      undefined,
    ],
    ["with a wrong Bearer token", "", "Bearer wrong"],
  ] as const) {
    test(what, () => {
      expect(verify(query, authorization)).toEqual(FAILED_ATTEMPT);
    });
  }

  test("with any wrong token", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        fc.pre(text !== "t0k3n");
        expect(handshake.verify(new URLSearchParams({ verify_token: text }), new Headers())).toEqual(
          text === "" ? refused("token_missing") : FAILED_ATTEMPT,
        );
      }),
    );
  });
});

describe("generic handshake > rejects a GET without counting it as a failed attempt", () => {
  for (const [what, code, query, authorization] of [
    ["without a token", "token_missing", "", undefined],
    ["with an empty token", "token_missing", "verify_token=", undefined],
    ["with a token parameter without a value", "token_missing", "verify_token", undefined],
    ["with a parameter name in another case", "token_missing", "Verify_Token=t0k3n", undefined],
    ["with the correct token twice", "token_repeated", "verify_token=t0k3n&verify_token=t0k3n", undefined],
    [
      "with a correct and a wrong token",
      "token_repeated",
      "verify_token=t0k3n&verify_token=wrong",
      undefined,
    ],
    ["with a correct and an empty token", "token_repeated", "verify_token=t0k3n&verify_token=", undefined],
    ["with the token in a parameter and a header", "token_repeated", "verify_token=t0k3n", "Bearer t0k3n"],
    [
      "with the token in both parameters",
      "token_repeated",
      "verify_token=t0k3n&hub.mode=subscribe&hub.verify_token=t0k3n",
      undefined,
    ],
    ["with a token and an empty Bearer header", "token_repeated", "verify_token=t0k3n", "Bearer"],
    ["with an empty Bearer header", "token_missing", "", "Bearer "],
    ["with another scheme", "token_missing", "", "Basic t0k3n"],
    ["with the token and no scheme", "token_missing", "", "t0k3n"],
    [
      "with hub.verify_token and no mode",
      "challenge_invalid",
      "hub.verify_token=t0k3n&hub.challenge=1",
      undefined,
    ],
    [
      "with hub.mode unsubscribe",
      "challenge_invalid",
      "hub.mode=unsubscribe&hub.verify_token=t0k3n",
      undefined,
    ],
    [
      "with hub.mode twice",
      "challenge_invalid",
      "hub.mode=subscribe&hub.mode=subscribe&hub.verify_token=t0k3n",
      undefined,
    ],
    [
      "with two challenges",
      "challenge_invalid",
      "hub.mode=subscribe&hub.verify_token=t0k3n&hub.challenge=1&hub.challenge=2",
      undefined,
    ],
    [
      "with a challenge of 1025 characters",
      "challenge_invalid",
      `hub.mode=subscribe&hub.verify_token=t0k3n&hub.challenge=${"x".repeat(1025)}`,
      undefined,
    ],
    [
      "with a two-line challenge",
      "challenge_invalid",
      "hub.mode=subscribe&hub.verify_token=t0k3n&hub.challenge=a%0D%0Ab",
      undefined,
    ],
    [
      "with a terminal escape sequence in the challenge",
      "challenge_invalid",
      "hub.mode=subscribe&hub.verify_token=t0k3n&hub.challenge=%1B[2J",
      undefined,
    ],
  ] as const) {
    test(what, () => {
      expect(verify(query, authorization)).toEqual(refused(code));
    });
  }

  test("with any query when no token is configured", () => {
    const closed = createHandshake(null, SETTINGS);
    for (const [query, code] of [
      ["", "token_missing"],
      ["verify_token=", "token_missing"],
      ["verify_token=null", "token_mismatch"],
      ["hub.mode=subscribe&hub.verify_token=", "token_missing"],
    ] as const) {
      expect(closed.verify(new URLSearchParams(query), new Headers())).toEqual(refused(code));
    }
  });
});

describe("generic handshake", () => {
  test("throws when the token was never loaded", async () => {
    const broken = createHandshake(new Secret({ kind: "env", name: "MISSING" }), SETTINGS);
    const error = await catchError(() => broken.verify(new URLSearchParams("verify_token=x"), new Headers()));
    expect(error.message).toContain("env:MISSING");
    expect(error.message).toMatchSnapshot();
    expect(broken.verify(new URLSearchParams("verify_token="), new Headers())).toEqual(
      refused("token_missing"),
    );
  });
});
