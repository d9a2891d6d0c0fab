import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createBodyBudget } from "../../src/http/body-budget.ts";

describe("body budget", () => {
  test("evicts the request with the most bytes rather than the latest request", () => {
    const evicted: string[] = [];
    const budget = createBodyBudget(100, () => {});
    const large = budget.reserve(() => evicted.push("large"));
    const small = budget.reserve(() => evicted.push("small"));
    expect(large.add(90)).toBe(true);
    expect(small.add(20)).toBe(true);
    expect(evicted).toEqual(["large"]);
    expect(large.add(1)).toBe(false);
    expect(small.add(80)).toBe(true);
    expect(evicted).toEqual(["large"]);
  });

  test("evicts a request that exceeds the whole budget and frees its bytes", () => {
    const budget = createBodyBudget(100, () => {});
    expect(budget.reserve(() => {}).add(101)).toBe(false);
    expect(budget.reserve(() => {}).add(100)).toBe(true);
  });

  test("frees released bytes once", () => {
    const budget = createBodyBudget(100, () => {});
    const first = budget.reserve(() => {});
    first.add(100);
    first.release();
    first.release();
    const second = budget.reserve(() => {});
    expect(second.add(100)).toBe(true);
    expect(second.add(1)).toBe(false);
  });

  test("rejects the latest request when no request can be evicted and counts none of its bytes", () => {
    const evicted: string[] = [];
    const budget = createBodyBudget(100, () => {});
    const [first, second, third] = [budget.reserve(null), budget.reserve(null), budget.reserve(null)];
    expect([first.add(60), second.add(40), third.add(1)]).toEqual([true, true, false]);
    const large = budget.reserve(() => evicted.push("large"));
    expect(large.add(1)).toBe(false);
    second.release();
    expect(budget.reserve(() => evicted.push("larger")).add(40)).toBe(true);
    expect([third.add(0), budget.reserve(null).add(30)]).toEqual([false, true]);
    expect(evicted).toEqual(["large", "larger"]);
  });

  test("is scarce while more than half of the budget is in use", () => {
    const budget = createBodyBudget(100, () => {});
    const first = budget.reserve(null);
    first.add(50);
    expect(budget.isScarce()).toBe(false);
    const second = budget.reserve(null);
    second.add(1);
    expect(budget.isScarce()).toBe(true);
    second.release();
    expect(budget.isScarce()).toBe(false);
  });

  test("collects garbage for large bodies and not for small ones", () => {
    let collections = 0;
    const budget = createBodyBudget(1024 * 1024, () => collections++);
    for (let count = 0; count < 1000; count++) {
      const small = budget.reserve(() => {});
      small.add(7000);
      small.release();
    }
    expect(collections).toBe(0);
    for (let count = 0; count < 10; count++) budget.reserve(() => {}).add(200 * 1024);
    expect(collections).toBeGreaterThanOrEqual(10);
  });

  test("never exceeds its limit", () => {
    /** The number of requests that can be evicted; the last three cannot. */
    const EVICTABLE = 7;
    const step = fc.record({ request: fc.nat(9), bytes: fc.nat(60), release: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const budget = createBodyBudget(100, () => {});
        const held = Array.from({ length: 10 }, () => 0);
        const reserve = (at: number) => budget.reserve(at < EVICTABLE ? () => (held[at] = 0) : null);
        const reservations = held.map((_, at) => reserve(at));
        for (const { request, bytes: more, release } of steps) {
          const reservation = reservations[request];
          if (release) {
            reservation?.release();
            held[request] = 0;
            reservations[request] = reserve(request);
          } else held[request] = reservation?.add(more) ? (held[request] ?? 0) + more : 0;
          expect(held.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(100);
        }
      }),
    );
  });
});
