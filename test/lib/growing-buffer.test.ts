import { expect, test } from "bun:test";
import fc from "fast-check";
import { createGrowingBuffer } from "../../src/lib/growing-buffer.ts";

test("holds the appended bytes and says beforehand how many bytes it uses", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 40 }), (pieces) => {
      const all = Buffer.concat(pieces);
      const buffer = createGrowingBuffer(all.byteLength);
      for (const piece of pieces) {
        const capacity = buffer.capacityFor(piece.byteLength);
        buffer.append(piece);
        expect(buffer.bytes().buffer.byteLength).toBe(capacity);
      }
      expect(Buffer.from(buffer.bytes())).toEqual(all);
      expect(buffer.length).toBe(all.byteLength);
      expect(buffer.capacityFor(0)).toBeLessThanOrEqual(all.byteLength);
    }),
  );
});
