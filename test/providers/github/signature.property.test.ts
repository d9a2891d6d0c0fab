import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { post } from "../../support/request.ts";
import { handler, NOW, SECRET } from "./send.ts";

const signatureOf = (body: Uint8Array, secret = SECRET) =>
  `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;

async function isAccepted(body: Uint8Array, lines: readonly string[]): Promise<boolean> {
  const headers = new Headers();
  for (const line of lines) headers.append("x-hub-signature-256", line);
  return (await handler.verify(post(headers, body), null, NOW)).kind === "verified";
}

const bytes = fc.uint8Array({ maxLength: 300 });

describe("GitHub delivery signature", () => {
  test("is accepted only for the bytes that were signed", async () => {
    await fc.assert(
      fc.asyncProperty(bytes, bytes, async (body, other) => {
        expect(await isAccepted(body, [signatureOf(body)])).toBe(true);
        expect(await isAccepted(other, [signatureOf(body)])).toBe(Buffer.compare(body, other) === 0);
      }),
    );
  });

  test("is rejected when any bit of the body changes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(), async (body, at) => {
        const bit = at % (body.length * 8);
        const changed = body.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
        expect(await isAccepted(changed, [signatureOf(body)])).toBe(false);
      }),
    );
  });

  test("is rejected when it is missing or made with another secret", async () => {
    await fc.assert(
      fc.asyncProperty(bytes, fc.string({ unit: "binary" }), async (body, secret) => {
        fc.pre(secret !== SECRET);
        expect(await isAccepted(body, [signatureOf(body, secret)])).toBe(false);
        expect(await isAccepted(body, [])).toBe(false);
      }),
    );
  });

  test("is rejected when a second signature is present, correct or not, in any order", async () => {
    // Valid header values: Fetch standard, "header value".
    const value = fc.stringMatching(/^[\x21-\x7e]{0,80}$/);
    await fc.assert(
      fc.asyncProperty(bytes, fc.option(value), async (body, noise) => {
        const right = signatureOf(body);
        const second = noise ?? right;
        for (const lines of [
          [right, second],
          [second, right],
        ]) {
          expect(await isAccepted(body, lines)).toBe(false);
        }
      }),
    );
  });
});
