import { beforeEach, describe, expect, test } from "bun:test";
import { countGuesses, type Guesses } from "../../src/flow/guesses.ts";
import { clockAt, type SetClock } from "../support/public.ts";

const MINUTE = 60_000;
const ADDRESS = "192.0.2.1";

let clock: SetClock;
let guesses: Guesses;

beforeEach(() => {
  clock = clockAt("2026-11-21T12:00:00Z");
  guesses = countGuesses(clock);
});

function guess(times: number, address: string | null = ADDRESS): void {
  for (let time = 0; time < times; time++) guesses.note(address);
}

describe("an address", () => {
  test("may be wrong nine times in a minute, and has to wait a minute after the tenth", () => {
    guess(9);
    expect(guesses.wait(ADDRESS)).toBe(0);
    guess(1);
    expect(guesses.wait(ADDRESS)).toBe(MINUTE);
    clock.advance(MINUTE);
    expect(guesses.wait(ADDRESS)).toBe(0);
  });

  test("may be wrong now and then", () => {
    for (let time = 0; time < 100; time++) {
      guess(1);
      clock.advance(10_000);
    }
    expect(guesses.wait(ADDRESS)).toBe(0);
  });

  test("waits twice as long each time, up to an hour", () => {
    const waits = [1, 2, 4, 8, 16, 32, 60, 60];
    for (const minutes of waits) {
      guess(10);
      expect(guesses.wait(ADDRESS)).toBe(minutes * MINUTE);
      clock.advance(minutes * MINUTE);
    }
  });

  test("begins anew after a day without a wrong one", () => {
    guess(10);
    clock.advance(24 * 60 * MINUTE + 1);
    guess(10);
    expect(guesses.wait(ADDRESS)).toBe(MINUTE);
  });

  test("does not suffer from what another one shows", () => {
    guess(10);
    expect(guesses.wait("192.0.2.2")).toBe(0);
    expect(guesses.wait(null)).toBe(0);
  });
});

test("addresses of one IPv6 /64 count together, and those of the next one do not", () => {
  for (let host = 1; host <= 10; host++) guesses.note(`2001:db8::${host}`);
  expect(guesses.wait("2001:db8::ffff")).toBe(MINUTE);
  expect(guesses.wait("2001:db8:0:1::1")).toBe(0);
});

test("connections without an address count together", () => {
  guess(10, null);
  expect(guesses.wait(null)).toBe(MINUTE);
});

test("ten thousand addresses are remembered, and of more those that were wrong least lately are forgotten", () => {
  guess(10);
  const others = (count: number, from = 0) => {
    for (let at = from; at < from + count; at++)
      guesses.note(`10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`);
  };
  others(9_999);
  expect(guesses.wait(ADDRESS)).toBe(MINUTE);
  others(1, 9_999);
  expect(guesses.wait(ADDRESS)).toBe(0);
});
