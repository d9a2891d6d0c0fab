import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readBasic, readCredentials } from "../../../src/providers/generic/verify.ts";

const carrying = (authorization: string) => new Headers({ authorization });
const encode = (text: string | Uint8Array) => `Basic ${Buffer.from(text).toString("base64")}`;

/** Any value that a header can contain: no NUL, newline or carriage return. */
const headerText = fc.string({
  unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)),
});
const value = headerText.map((text) => text.replaceAll(/[\n\r]/g, ""));

describe("readCredentials", () => {
  for (const [what, authorization, expected] of [
    ["a token", "Bearer abc", "abc"],
    ["a scheme in any case", "bEARER abc", "abc"],
    ["several spaces and tabs", "Bearer \t abc", "abc"],
    ["two headers", "Bearer abc, Bearer abc", "abc, Bearer abc"],
    ["nothing after the scheme", "Bearer", ""],
    ["another scheme", "Basic abc", null],
    ["a longer scheme with the same prefix", "Bearers abc", null],
    ["a token without a scheme", "abc", null],
    ["an empty header", "", null],
  ] as const) {
    test(`returns ${JSON.stringify(expected)} for ${what}`, () => {
      expect(readCredentials(carrying(authorization), "bearer")).toBe(expected);
    });
  }

  test("returns null without a header", () => {
    expect(readCredentials(new Headers(), "bearer")).toBeNull();
  });

  test("returns the text after the scheme and never throws", () => {
    fc.assert(
      fc.property(value, (text) => {
        const bare = readCredentials(carrying(text), "bearer");
        expect(bare === null || text.toLowerCase().includes("bearer")).toBe(true);
        const trimmed = text.replaceAll(/^[\t ]+|[\t ]+$/g, "");
        expect(readCredentials(carrying(`Bearer ${trimmed}`), "bearer")).toBe(trimmed);
      }),
    );
  });
});

describe("readBasic", () => {
  for (const [what, authorization, expected] of [
    // RFC 7617, sections 2 and 2.1.
    ["the example of RFC 7617", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ["Aladdin", "open sesame"]],
    ["the UTF-8 example of RFC 7617", "Basic dGVzdDoxMjPCow==", ["test", "123£"]],
    ["colons in the password", encode("ada:a:b:"), ["ada", "a:b:"]],
    ["an empty password", encode("ada:"), ["ada", ""]],
    ["an empty user", encode(":password"), ["", "password"]],
  ] as const) {
    test(`reads ${what}`, () => {
      const [user, password] = expected;
      expect(readBasic(carrying(authorization))).toEqual({ user, password });
    });
  }

  for (const [what, authorization] of [
    ["no credentials", "Basic"],
    ["another scheme", encode("ada:password").replace("Basic", "Bearer")],
    ["no colon", encode("ada")],
    ["two headers", `${encode("ada:password")}, ${encode("ada:password")}`],
    ["base64 without its padding", "Basic dGVzdDoxMjPCow"],
    ["base64 with non-zero trailing bits", "Basic dGVzdDoxMjPCox=="],
    ["base64 for URLs", encode("ada:???~~~").replaceAll("/", "_")],
    ["plain text", "Basic ada:password"],
    ["bytes that are not UTF-8", encode(Uint8Array.of(0x61, 0x3a, 0xff))],
    ["a control character", encode("ada:pass\nword")],
    ["a NUL", encode("ada\0:password")],
  ] as const) {
    test(`rejects ${what}`, () => expect(readBasic(carrying(authorization))).toBeNull());
  }

  test("returns any printable user and password and never throws", () => {
    const text = fc.string({ unit: "grapheme" }).filter((value) => !/\p{Cc}/u.test(value));
    fc.assert(
      fc.property(text, text, (name, password) => {
        const user = name.replaceAll(":", "");
        expect(readBasic(carrying(encode(`${user}:${password}`)))).toEqual({ user, password });
      }),
    );
    fc.assert(
      fc.property(value, fc.constantFrom("", "Basic "), (credentials, scheme) => {
        const read = readBasic(carrying(scheme + credentials));
        if (read === null) return;
        expect(
          carrying(scheme + credentials)
            .get("authorization")
            ?.replace(/^basic[\t ]+/i, "Basic "),
        ).toBe(encode(`${read.user}:${read.password}`));
      }),
    );
  });
});
