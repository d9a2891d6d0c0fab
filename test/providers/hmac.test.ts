import { describe, expect, test } from "bun:test";
import { sign } from "@octokit/webhooks-methods";
import fc from "fast-check";
import { Secret } from "../../src/domain/secret.ts";
import { equalInConstantTime, signSha256, verifySignature } from "../../src/providers/hmac.ts";
import { loadSecret } from "./load-secret.ts";

const SECRET = "It's a Secret to Everybody";
const BODY = "Hello, World!";
const HEX = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

/** From GitHub's validation page, octokit/webhooks-methods.js and Bitbucket's page: secret, body, hex. */
const VECTORS = [
  [SECRET, BODY, HEX],
  ["mysecret", '{"foo":"bar"}', "4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3"],
  [
    "development",
    // Not String.raw: Bun 1.4.5 writes the hearts in it as escapes.
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

describe("signSha256", () => {
  for (const [secret, body, hex] of VECTORS) {
    test(`gives the published signature of ${JSON.stringify(body.slice(0, 24))}`, () => {
      expect(signSha256(secret, bytes(body))).toBe(hex);
      expect(verifySignature(`sha256=${hex}`, bytes(body), [loadSecret(secret)])).toBe(true);
    });
  }

  test("throws on an empty secret", () => {
    expect(() => signSha256("", bytes(BODY))).toThrow("empty secret");
  });

  test("agrees with an independent signer on any secret and text", async () => {
    const text = fc.string({ unit: "binary", minLength: 1 });
    await fc.assert(
      fc.asyncProperty(text, text, async (secret, body) => {
        expect(`sha256=${signSha256(secret, bytes(body))}`).toBe(await sign(secret, body));
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
    ["without the prefix", HEX],
    ["63 digits long", `sha256=${HEX.slice(0, 63)}`],
    ["65 digits long", `sha256=${HEX}0`],
    ["in upper case", `sha256=${HEX.toUpperCase()}`],
    ["under an upper-case prefix", `SHA256=${HEX}`],
    ["not hex at its end", `sha256=${HEX.slice(0, 63)}g`],
    ["not hex at its beginning", `sha256=zz${HEX.slice(2)}`],
    ["given twice", `sha256=${HEX}, sha256=${HEX}`],
    ["followed by a newline", `sha256=${HEX}\n`],
    ["preceded by a space", ` sha256=${HEX}`],
    ["of another prefix", `sha512=${HEX}`],
    ["SHA-1", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"],
    ["SHA-1 under the wrong name", "sha256=01dc10d0c83e72ed246219cdd91669667fe2ca59"],
    ["one bit off", `sha256=${(Number.parseInt(first, 16) ^ 1).toString(16)}${HEX.slice(1)}`],
    ["all zeros", `sha256=${"0".repeat(64)}`],
  ];
  for (const [what, header] of faults) {
    test(`refuses a signature that is ${what}`, () => {
      expect(verifySignature(header, bytes(BODY), [loadSecret(SECRET)])).toBe(false);
    });
  }

  test("refuses the signature of another body, by one bit", () => {
    const changed = bytes(BODY);
    changed[0] = (changed[0] ?? 0) ^ 1;
    expect(verifySignature(`sha256=${HEX}`, changed, [loadSecret(SECRET)])).toBe(false);
  });

  test("refuses a body that was parsed and written again", () => {
    const [secret, body, hex] = VECTORS[2];
    const again = JSON.stringify(JSON.parse(body));
    expect(verifySignature(`sha256=${hex}`, bytes(again), [loadSecret(secret)])).toBe(false);
    const ofAgain = "0dd186363f087982384e842aaaaa6613749d4ad301cede36cee978ed231e6be2";
    expect(verifySignature(`sha256=${ofAgain}`, bytes(body), [loadSecret(secret)])).toBe(false);
  });

  test("refuses the signature of the JSON inside a form", () => {
    const [[secret, form], [, , hexOfJson]] = [VECTORS[3], VECTORS[4]];
    expect(verifySignature(`sha256=${hexOfJson}`, bytes(form), [loadSecret(secret)])).toBe(false);
  });

  test("accepts any of several secrets, wherever it stands", () => {
    const [old, other] = [loadSecret(SECRET), loadSecret("another secret")];
    expect(verifySignature(`sha256=${HEX}`, bytes(BODY), [old, other])).toBe(true);
    expect(verifySignature(`sha256=${HEX}`, bytes(BODY), [other, old])).toBe(true);
    expect(verifySignature(`sha256=${HEX}`, bytes(BODY), [other])).toBe(false);
  });

  test("accepts nothing when there is no secret", () => {
    expect(verifySignature(`sha256=${HEX}`, bytes(BODY), [])).toBe(false);
  });

  test("throws, and so accepts nothing, when a secret was never loaded", () => {
    const unloaded = new Secret({ kind: "env", name: "MISSING" });
    // The HMAC under an empty key, which everybody can compute.
    const underNothing = "2bbcfa9524f3218c7a34b30e6936f8b1a4516cb097f1a85a1c7d98b5977ec769";
    expect(() => verifySignature(`sha256=${underNothing}`, bytes(BODY), [unloaded])).toThrow(
      "env:MISSING was not loaded",
    );
  });

  test("accepts no header that was made without the secret", () => {
    const secrets = [loadSecret(SECRET)];
    const hex = fc.stringMatching(/^[0-9a-f]{64}$/).map((digits) => `sha256=${digits}`);
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), hex), (header) => {
        expect(verifySignature(header, bytes(BODY), secrets)).toBe(false);
      }),
    );
  });
});

describe("equalInConstantTime", () => {
  test("tells whether two texts are equal", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
        expect(equalInConstantTime(a, a)).toBe(true);
        expect(equalInConstantTime(a, b)).toBe(a === b);
      }),
    );
  });

  test("tells apart texts of other lengths and a text from its beginning", () => {
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
