import { beforeEach, describe, expect, test } from "bun:test";
import { type AttemptLimiter, createAttemptLimiter } from "../../src/flow/attempt-limiter.ts";
import { TestClock } from "../support/clock.ts";

const MINUTE = 60_000;
const ADDRESS = "192.0.2.1";

let clock: TestClock;
let limiter: AttemptLimiter;

beforeEach(() => {
  clock = new TestClock();
  limiter = createAttemptLimiter(clock);
});

function recordFailures(times: number, address: string | null = ADDRESS): void {
  for (let time = 0; time < times; time++) limiter.recordFailure(address);
}

describe("attempt limiter", () => {
  test("allows nine failures a minute, and blocks an address for a minute after the tenth", () => {
    recordFailures(9);
    expect(limiter.retryAfter(ADDRESS)).toBe(0);
    recordFailures(1);
    expect(limiter.retryAfter(ADDRESS)).toBe(MINUTE);
    clock.advance(MINUTE);
    expect(limiter.retryAfter(ADDRESS)).toBe(0);
  });

  test("allows occasional failures", () => {
    for (let time = 0; time < 100; time++) {
      recordFailures(1);
      clock.advance(10_000);
    }
    expect(limiter.retryAfter(ADDRESS)).toBe(0);
  });

  test("doubles the wait each time, up to an hour", () => {
    const waits = [1, 2, 4, 8, 16, 32, 60, 60];
    for (const minutes of waits) {
      recordFailures(10);
      expect(limiter.retryAfter(ADDRESS)).toBe(minutes * MINUTE);
      clock.advance(minutes * MINUTE);
    }
  });

  test("resets the wait after a day without failures", () => {
    recordFailures(10);
    clock.advance(24 * 60 * MINUTE + 1);
    recordFailures(10);
    expect(limiter.retryAfter(ADDRESS)).toBe(MINUTE);
  });

  test("counts addresses separately", () => {
    recordFailures(10);
    expect(limiter.retryAfter("192.0.2.2")).toBe(0);
    expect(limiter.retryAfter(null)).toBe(0);
  });

  test("counts addresses of one IPv6 /64 together, and those of the next /64 separately", () => {
    for (let host = 1; host <= 10; host++) limiter.recordFailure(`2001:db8::${host}`);
    expect(limiter.retryAfter("2001:db8::ffff")).toBe(MINUTE);
    expect(limiter.retryAfter("2001:db8:0:1::1")).toBe(0);
  });

  test("does not count requests without an address", () => {
    recordFailures(100, null);
    expect(limiter.retryAfter(null)).toBe(0);
  });

  test("remembers ten thousand addresses, and forgets the one whose last failure is oldest", () => {
    recordFailures(10);
    const others = (count: number, from = 0) => {
      for (let at = from; at < from + count; at++)
        limiter.recordFailure(`10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`);
    };
    others(9_999);
    expect(limiter.retryAfter(ADDRESS)).toBe(MINUTE);
    others(1, 9_999);
    expect(limiter.retryAfter(ADDRESS)).toBe(0);
  });
});
