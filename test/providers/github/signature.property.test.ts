import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { dialect, NOW, SECRET } from "./send.ts";

const signatureOf = (body: Uint8Array, secret = SECRET) =>
  `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;

async function isLetIn(body: Uint8Array, lines: readonly string[]): Promise<boolean> {
  const headers = new Headers();
  for (const line of lines) headers.append("x-hub-signature-256", line);
  return (await dialect.verify({ headers, body }, null, NOW)).ok;
}

const bytes = fc.uint8Array({ maxLength: 300 });

describe("the signature of a GitHub delivery", () => {
  test("lets exactly the bytes in that were signed, and no others", async () => {
    await fc.assert(
      fc.asyncProperty(bytes, bytes, async (body, other) => {
        expect(await isLetIn(body, [signatureOf(body)])).toBe(true);
        expect(await isLetIn(other, [signatureOf(body)])).toBe(Buffer.compare(body, other) === 0);
      }),
    );
  });

  test("is broken by any one bit of the body", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(), async (body, at) => {
        const bit = at % (body.length * 8);
        const changed = body.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
        expect(await isLetIn(changed, [signatureOf(body)])).toBe(false);
      }),
    );
  });

  test("made with another secret, or with none, lets nobody in", async () => {
    await fc.assert(
      fc.asyncProperty(bytes, fc.string({ unit: "binary" }), async (body, secret) => {
        fc.pre(secret !== SECRET);
        expect(await isLetIn(body, [signatureOf(body, secret)])).toBe(false);
        expect(await isLetIn(body, [])).toBe(false);
      }),
    );
  });

  test("lets nobody in beside a second one, right or wrong, before or after it", async () => {
    // What a header may hold: fetch standard, "header value".
    const value = fc.stringMatching(/^[\x21-\x7e]{0,80}$/);
    await fc.assert(
      fc.asyncProperty(bytes, fc.option(value), async (body, noise) => {
        const right = signatureOf(body);
        const second = noise ?? right;
        for (const lines of [
          [right, second],
          [second, right],
        ]) {
          expect(await isLetIn(body, lines)).toBe(false);
        }
      }),
    );
  });
});
