import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { boundUnverified } from "../../src/http/unverified.ts";

describe("boundUnverified", () => {
  test("lets the request go that holds most, and not the one that comes last", () => {
    const letGo: string[] = [];
    const bytes = boundUnverified(100, () => {});
    const large = bytes.hold(() => letGo.push("large"));
    const small = bytes.hold(() => letGo.push("small"));
    expect(large.add(90)).toBe(true);
    expect(small.add(20)).toBe(true);
    expect(letGo).toEqual(["large"]);
    expect(large.add(1)).toBe(false);
    expect(small.add(80)).toBe(true);
    expect(letGo).toEqual(["large"]);
  });

  test("lets a request go that is larger than everything allowed, and has room again for others", () => {
    const bytes = boundUnverified(100, () => {});
    expect(bytes.hold(() => {}).add(101)).toBe(false);
    expect(bytes.hold(() => {}).add(100)).toBe(true);
  });

  test("has room again for what was released, once", () => {
    const bytes = boundUnverified(100, () => {});
    const first = bytes.hold(() => {});
    first.add(100);
    first.release();
    first.release();
    const second = bytes.hold(() => {});
    expect(second.add(100)).toBe(true);
    expect(second.add(1)).toBe(false);
  });

  test("refuses whoever comes last where nothing is held that can be let go, and holds nothing of it", () => {
    const letGo: string[] = [];
    const bytes = boundUnverified(100, () => {});
    const [first, second, third] = [bytes.hold(null), bytes.hold(null), bytes.hold(null)];
    expect([first.add(60), second.add(40), third.add(1)]).toEqual([true, true, false]);
    const large = bytes.hold(() => letGo.push("large"));
    expect(large.add(1)).toBe(false);
    second.release();
    expect(bytes.hold(() => letGo.push("larger")).add(40)).toBe(true);
    expect([third.add(0), bytes.hold(null).add(30)]).toEqual([false, true]);
    expect(letGo).toEqual(["large", "larger"]);
  });

  test("is scarce from the first byte over half of its limit on, until enough is released", () => {
    const bytes = boundUnverified(100, () => {});
    const first = bytes.hold(null);
    first.add(50);
    expect(bytes.isScarce()).toBe(false);
    const second = bytes.hold(null);
    second.add(1);
    expect(bytes.isScarce()).toBe(true);
    second.release();
    expect(bytes.isScarce()).toBe(false);
  });

  test("has garbage collected while large bodies pour in, and not for small ones", () => {
    let collections = 0;
    const bytes = boundUnverified(1024 * 1024, () => collections++);
    for (let count = 0; count < 1000; count++) {
      const small = bytes.hold(() => {});
      small.add(7000);
      small.release();
    }
    expect(collections).toBe(0);
    for (let count = 0; count < 10; count++) bytes.hold(() => {}).add(200 * 1024);
    expect(collections).toBeGreaterThanOrEqual(10);
  });

  test("never holds more than its limit, whatever comes and goes", () => {
    /** The last three cannot be let go. */
    const MOVABLE = 7;
    const step = fc.record({ request: fc.nat(9), bytes: fc.nat(60), release: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const bytes = boundUnverified(100, () => {});
        const held = Array.from({ length: 10 }, () => 0);
        const hold = (at: number) => bytes.hold(at < MOVABLE ? () => (held[at] = 0) : null);
        const holdings = held.map((_, at) => hold(at));
        for (const { request, bytes: more, release } of steps) {
          const holding = holdings[request];
          if (release) {
            holding?.release();
            held[request] = 0;
            holdings[request] = hold(request);
          } else held[request] = holding?.add(more) ? (held[request] ?? 0) + more : 0;
          expect(held.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(100);
        }
      }),
    );
  });
});
