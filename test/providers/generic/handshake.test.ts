import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Secret } from "../../../src/domain/secret.ts";
import { openHandshake } from "../../../src/providers/generic/handshake.ts";
import { loadSecret } from "../load-secret.ts";

const ADMISSION = { lifetime: 1000, prefixV6: 128 };
const handshake = openHandshake(loadSecret("t0k3n"), ADMISSION);
const REFUSED = { ok: false, guess: false } as const;
const GUESSED = { ok: false, guess: true } as const;

function examine(query: string, authorization?: string) {
  const headers = new Headers(authorization === undefined ? {} : { authorization });
  return handshake.examine(new URLSearchParams(query), headers);
}

describe("a token is accepted", () => {
  for (const [how, query, authorization, challenge] of [
    ["in verify_token", "verify_token=t0k3n", undefined, null],
    ["as a Bearer token", "", "Bearer t0k3n", null],
    ["under a scheme in any case", "", "bEARER   t0k3n", null],
    [
      "in hub.verify_token, and the challenge comes back",
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
    [
      "beside parameters that mean nothing here",
      "verify_token=t0k3n&hub.challenge=1&other=2",
      undefined,
      null,
    ],
    ["beside a proxy's own credentials", "verify_token=t0k3n", "Basic dXNlcjpwYXNz", null],
  ] as const) {
    test(how, () => {
      expect(examine(query, authorization)).toEqual({ ok: true, challenge });
    });
  }
});

describe("a GET is refused as a guess", () => {
  for (const [what, query, authorization] of [
    ["with a wrong token", "verify_token=wrong", undefined],
    ["with the token and more", "verify_token=t0k3n0", undefined],
    ["with a part of the token", "verify_token=t0k3", undefined],
    ["with the token in another case", "verify_token=T0K3N", undefined],
    ["with the token and a space", "verify_token=t0k3n+", undefined],
    ["with the token and a NUL", "verify_token=t0k3n%00", undefined],
    ["with two Bearer headers", "", "Bearer t0k3n, Bearer t0k3n"],
    [
      "with a right challenge and a wrong token",
      "hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1",
      undefined,
    ],
    ["with a wrong Bearer token", "", "Bearer wrong"],
  ] as const) {
    test(what, () => {
      expect(examine(query, authorization)).toEqual(GUESSED);
    });
  }

  test("with any token but the right one", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        fc.pre(text !== "t0k3n");
        expect(handshake.examine(new URLSearchParams({ verify_token: text }), new Headers())).toEqual(
          text === "" ? REFUSED : GUESSED,
        );
      }),
    );
  });
});

describe("a GET is refused, which is no guess,", () => {
  for (const [what, query, authorization] of [
    ["without a token", "", undefined],
    ["with an empty token", "verify_token=", undefined],
    ["with a token without a value", "verify_token", undefined],
    ["with the token under a name in another case", "Verify_Token=t0k3n", undefined],
    ["with the right token twice", "verify_token=t0k3n&verify_token=t0k3n", undefined],
    ["with a right and a wrong token", "verify_token=t0k3n&verify_token=wrong", undefined],
    ["with a right and an empty token", "verify_token=t0k3n&verify_token=", undefined],
    ["with the token in two forms", "verify_token=t0k3n", "Bearer t0k3n"],
    [
      "with the token in both parameters",
      "verify_token=t0k3n&hub.mode=subscribe&hub.verify_token=t0k3n",
      undefined,
    ],
    ["with a token beside an empty Bearer", "verify_token=t0k3n", "Bearer"],
    ["with an empty Bearer", "", "Bearer "],
    ["with another scheme", "", "Basic t0k3n"],
    ["with the bare token as authorization", "", "t0k3n"],
    ["with hub.verify_token and no mode", "hub.verify_token=t0k3n&hub.challenge=1", undefined],
    ["with hub.mode unsubscribe", "hub.mode=unsubscribe&hub.verify_token=t0k3n", undefined],
    ["with hub.mode twice", "hub.mode=subscribe&hub.mode=subscribe&hub.verify_token=t0k3n", undefined],
    [
      "with two challenges",
      "hub.mode=subscribe&hub.verify_token=t0k3n&hub.challenge=1&hub.challenge=2",
      undefined,
    ],
    [
      "with a challenge of 1025 characters",
      `hub.mode=subscribe&hub.verify_token=t0k3n&hub.challenge=${"x".repeat(1025)}`,
      undefined,
    ],
    [
      "with a challenge of two lines",
      "hub.mode=subscribe&hub.verify_token=t0k3n&hub.challenge=a%0D%0Ab",
      undefined,
    ],
    [
      "with a challenge that steers a terminal",
      "hub.mode=subscribe&hub.verify_token=t0k3n&hub.challenge=%1B[2J",
      undefined,
    ],
  ] as const) {
    test(what, () => {
      expect(examine(query, authorization)).toEqual(REFUSED);
    });
  }

  test("with anything when there is no token of our own", () => {
    const closed = openHandshake(null, ADMISSION);
    for (const query of ["", "verify_token=", "verify_token=null", "hub.mode=subscribe&hub.verify_token="]) {
      expect(closed.examine(new URLSearchParams(query), new Headers())).toEqual(REFUSED);
    }
  });

  test("by a fault when the token was never loaded", () => {
    const broken = openHandshake(new Secret({ kind: "env", name: "MISSING" }), ADMISSION);
    expect(() => broken.examine(new URLSearchParams("verify_token=x"), new Headers())).toThrow(
      "was not loaded",
    );
    expect(broken.examine(new URLSearchParams("verify_token="), new Headers())).toEqual(REFUSED);
  });
});
