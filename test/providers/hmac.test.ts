import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { sign } from "@octokit/webhooks-methods";
import fc from "fast-check";
import { Secret } from "../../src/lib/secret.ts";
import { SIGNATURE_STYLE as GITHUB } from "../../src/providers/github/compose.ts";
import {
  equalInConstantTime,
  type SignatureStyle,
  verifySignature,
  writeSignature,
} from "../../src/providers/hmac.ts";
import { catchError } from "./catch-error.ts";
import { loadSecret } from "./load-secret.ts";

const SECRET = "It's a Secret to Everybody";
const BODY = "Hello, World!";
const HEX = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

/** Secret, body and hex digest from the GitHub and Bitbucket documentation and octokit/webhooks-methods.js. */
const VECTORS = [
  [SECRET, BODY, HEX],
  ["mysecret", '{"foo":"bar"}', "4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3"],
  [
    "development",
    // String.raw does not work here: Bun 1.4.5 writes the hearts as escapes.
    '{"foo":"Foo\\n\\u001B[34mbar: ♥♥♥♥♥♥♥♥\\nthis-is-lost\\u001B[0m\\u001B[2K"}',
    "afecc3caa27548bb90d51a50384cb2868b9a3327b4ad6a01c9bd4ed0f8b0b12c",
  ],
  [
    "secret",
    "payload=%7B%22zen%22%3A%22Hello%20World%22%7D",
    "87052c3b65961964837c131b6a58efd0f867e2ac73da50bb71d554b07f0f4e86",
  ],
  ["secret", '{"zen":"Hello World"}', "d9e3366895f136a63e20ca0f30df87e39037f570e0f0ef98ef7e154d65bf3302"],
  [SECRET, "Hello World!", "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"],
] as const;

describe("writeSignature", () => {
  for (const [secret, body, hex] of VECTORS) {
    test(`returns the published signature of ${JSON.stringify(body.slice(0, 24))}`, () => {
      expect(writeSignature(secret, bytes(body), GITHUB)).toBe(`sha256=${hex}`);
      expect(verifySignature(`sha256=${hex}`, bytes(body), [loadSecret(secret)], GITHUB)).toBe(true);
    });
  }

  test("throws on an empty secret", async () => {
    const error = await catchError(() => writeSignature("", bytes(BODY), GITHUB));
    expect(error.message).toMatchSnapshot();
  });

  test("returns the same signature as an independent implementation", async () => {
    const text = fc.string({ unit: "binary", minLength: 1 });
    await fc.assert(
      fc.asyncProperty(text, text, async (secret, body) => {
        expect(writeSignature(secret, bytes(body), GITHUB)).toBe(await sign(secret, body));
      }),
    );
  });
});

describe("verifySignature", () => {
  const [first = ""] = HEX;
  const faults: readonly (readonly [string, string | null])[] = [
    ["absent", null],
    ["empty", ""],
    ["only the prefix", "sha256="],
    ["missing its prefix", HEX],
    ["63 digits long", `sha256=${HEX.slice(0, 63)}`],
    ["65 digits long", `sha256=${HEX}0`],
    ["in upper case", `sha256=${HEX.toUpperCase()}`],
    ["prefixed in upper case", `SHA256=${HEX}`],
    ["not hex in its last digit", `sha256=${HEX.slice(0, 63)}g`],
    ["not hex in its first digits", `sha256=zz${HEX.slice(2)}`],
    ["repeated", `sha256=${HEX}, sha256=${HEX}`],
    ["followed by a newline", `sha256=${HEX}\n`],
    ["preceded by a space", ` sha256=${HEX}`],
    ["prefixed with another algorithm", `sha512=${HEX}`],
    ["a SHA-1 signature", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"],
    ["a SHA-1 digest with the SHA-256 prefix", "sha256=01dc10d0c83e72ed246219cdd91669667fe2ca59"],
    ["one bit off", `sha256=${(Number.parseInt(first, 16) ^ 1).toString(16)}${HEX.slice(1)}`],
    ["all zeros", `sha256=${"0".repeat(64)}`],
  ];
  for (const [what, header] of faults) {
    test(`rejects a signature that is ${what}`, () => {
      expect(verifySignature(header, bytes(BODY), [loadSecret(SECRET)], GITHUB)).toBe(false);
    });
  }

  test("rejects the signature of a body that differs by one bit", () => {
    const changed = bytes(BODY);
    changed[0] = (changed[0] ?? 0) ^ 1;
    expect(verifySignature(`sha256=${HEX}`, changed, [loadSecret(SECRET)], GITHUB)).toBe(false);
  });

  test("rejects a body that was parsed and serialised again", () => {
    const [secret, body, hex] = VECTORS[2];
    const again = JSON.stringify(JSON.parse(body));
    expect(verifySignature(`sha256=${hex}`, bytes(again), [loadSecret(secret)], GITHUB)).toBe(false);
    const ofAgain = "0dd186363f087982384e842aaaaa6613749d4ad301cede36cee978ed231e6be2";
    expect(verifySignature(`sha256=${ofAgain}`, bytes(body), [loadSecret(secret)], GITHUB)).toBe(false);
  });

  test("rejects the signature of the JSON inside a form", () => {
    const [[secret, form], [, , hexOfJson]] = [VECTORS[3], VECTORS[4]];
    expect(verifySignature(`sha256=${hexOfJson}`, bytes(form), [loadSecret(secret)], GITHUB)).toBe(false);
  });

  test("accepts any of several secrets in any position", () => {
    const [old, other] = [loadSecret(SECRET), loadSecret("another secret")];
    expect(verifySignature(`sha256=${HEX}`, bytes(BODY), [old, other], GITHUB)).toBe(true);
    expect(verifySignature(`sha256=${HEX}`, bytes(BODY), [other, old], GITHUB)).toBe(true);
    expect(verifySignature(`sha256=${HEX}`, bytes(BODY), [other], GITHUB)).toBe(false);
  });

  test("rejects every signature when there is no secret", () => {
    expect(verifySignature(`sha256=${HEX}`, bytes(BODY), [], GITHUB)).toBe(false);
  });

  test("throws when a secret was never loaded, rather than use an empty key", async () => {
    const unloaded = new Secret({ kind: "env", name: "MISSING" });
    // The HMAC with an empty key, which anyone can compute.
    const withEmptyKey = "2bbcfa9524f3218c7a34b30e6936f8b1a4516cb097f1a85a1c7d98b5977ec769";
    const error = await catchError(() =>
      verifySignature(`sha256=${withEmptyKey}`, bytes(BODY), [unloaded], GITHUB),
    );
    expect(error.message).toContain("env:MISSING");
    expect(error.message).toMatchSnapshot();
  });

  test("rejects any header made without the secret", () => {
    const secrets = [loadSecret(SECRET)];
    const hex = fc.stringMatching(/^[0-9a-f]{64}$/).map((digits) => `sha256=${digits}`);
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), hex), (header) => {
        expect(verifySignature(header, bytes(BODY), secrets, GITHUB)).toBe(false);
      }),
    );
  });
});

describe("signature styles", () => {
  const base64 = Buffer.from(HEX, "hex").toString("base64");
  // RFC 4231, test case 2.
  const [key, data] = ["Jefe", "what do ya want for nothing?"];
  const hex512 =
    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
  const base64Of512 = Buffer.from(hex512, "hex").toString("base64");

  for (const [what, secret, body, style, header] of [
    ["hex without a prefix", SECRET, BODY, inStyle("sha256", "hex", ""), HEX],
    ["base64", SECRET, BODY, inStyle("sha256", "base64", ""), base64],
    ["base64 after a prefix", SECRET, BODY, inStyle("sha256", "base64", "HMAC "), `HMAC ${base64}`],
    ["hex of SHA-512", key, data, inStyle("sha512", "hex", "sha512="), `sha512=${hex512}`],
    ["base64 of SHA-512", key, data, inStyle("sha512", "base64", ""), base64Of512],
  ] as const) {
    test(`writes and accepts ${what}`, () => {
      expect(writeSignature(secret, bytes(body), style)).toBe(header);
      expect(verifySignature(header, bytes(body), [loadSecret(secret)], style)).toBe(true);
    });
  }

  for (const [what, header, encoding] of [
    ["base64 without its padding", base64.slice(0, -1), "base64"],
    ["base64 with non-zero trailing bits", base64.replace(/.=$/, "8="), "base64"],
    ["base64 for URLs", base64.replaceAll("+", "-").replaceAll("/", "_"), "base64"],
    ["base64 with a line break", `${base64.slice(0, 20)}\n${base64.slice(20)}`, "base64"],
    ["base64 in another case", base64.toLowerCase(), "base64"],
    ["base64 instead of hex", base64, "hex"],
    ["hex instead of base64", HEX, "base64"],
    ["hex in upper case", HEX.toUpperCase(), "hex"],
    ["repeated hex", `${HEX}, ${HEX}`, "hex"],
    ["non-ASCII letters of the same length", "é".repeat(64), "hex"],
    ["surrogates of the same length", "\ud800".repeat(44), "base64"],
    ["an empty value", "", "base64"],
  ] as const) {
    test(`rejects ${what}`, () => {
      const header256 = inStyle("sha256", encoding, "");
      expect(verifySignature(header, bytes(BODY), [loadSecret(SECRET)], header256)).toBe(false);
    });
  }

  test("accepts only the signature that an independent implementation writes", () => {
    const styles = fc.record({
      algorithm: fc.constantFrom("sha256" as const, "sha512" as const),
      encoding: fc.constantFrom("hex" as const, "base64" as const),
      prefix: fc.constantFrom("", "sha256=", "v1,"),
    });
    const text = fc.string({ unit: "binary", minLength: 1 });
    fc.assert(
      fc.property(styles, text, text, fc.nat(), text, (style, secret, body, at, noise) => {
        const { algorithm, encoding, prefix } = style;
        const right = prefix + createHmac(algorithm, secret).update(body).digest(encoding);
        const secrets = [loadSecret(secret)];
        expect(verifySignature(right, bytes(body), secrets, style)).toBe(true);
        const where = at % (right.length + 1);
        for (const header of [
          right.slice(0, where) + noise + right.slice(where),
          right.slice(0, where) + noise + right.slice(where + noise.length),
          right.slice(0, where) + right.slice(where + 1),
          noise,
        ]) {
          expect(verifySignature(header, bytes(body), secrets, style)).toBe(header === right);
        }
      }),
    );
  });
});

function inStyle(
  algorithm: SignatureStyle["algorithm"],
  encoding: SignatureStyle["encoding"],
  prefix: string,
): SignatureStyle {
  return { algorithm, encoding, prefix };
}

describe("equalInConstantTime", () => {
  test("compares any two strings", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
        expect(equalInConstantTime(a, a)).toBe(true);
        expect(equalInConstantTime(a, b)).toBe(a === b);
      }),
    );
  });

  test("distinguishes strings of different lengths, prefixes and cases", () => {
    for (const [a, b] of [
      ["", "a"],
      ["token", "token "],
      ["token", "toke"],
      ["token", "Token"],
    ] as const) {
      expect(equalInConstantTime(a, b)).toBe(false);
    }
  });
});

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
