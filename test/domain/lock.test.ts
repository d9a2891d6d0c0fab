import { describe, expect, test } from "bun:test";
import type { Deployment } from "../../src/domain/deployment.ts";
import { describeLock, describeUnlocked, hasExpired, type Lock } from "../../src/domain/lock.ts";
import { numbersIn, words } from "../support/words.ts";

const NOON = new Date("2026-11-21T12:00:00.250Z");

function lock(until: Date | null): Lock {
  return { target: "blog", reason: "release freeze", by: "ada", since: NOON, until };
}

test("describeLock names the user, the end and the reason", () => {
  const text = describeLock(lock(NOON));
  for (const fact of ["ada", "2026-11-21T12:00:00Z", "release freeze"]) expect(text).toContain(fact);
  expect(words(text)).toMatchSnapshot();
});

test("a lock without an end is described without a time and never expires", () => {
  const text = describeLock(lock(null));
  for (const fact of ["ada", "release freeze"]) expect(text).toContain(fact);
  expect(text).not.toMatch(/\d/);
  expect(words(text)).toMatchSnapshot();
  expect(hasExpired(lock(null), new Date("2999-01-01T00:00:00Z"))).toBe(false);
});

test("a lock expires exactly at its end", () => {
  expect(hasExpired(lock(NOON), new Date(NOON.getTime() - 1))).toBe(false);
  expect(hasExpired(lock(NOON), NOON)).toBe(true);
});

describe("describeUnlocked", () => {
  const deployment = { id: 7 } as Deployment;
  test.each([
    [
      "a queued delivery",
      { queued: { deployment, others: [], superseded: [] }, waiting: 7, skippedDelivery: null },
      [7],
    ],
    ["a newer queued deployment", { queued: null, waiting: 7, skippedDelivery: 3 }, [7, 3]],
    ["an older queued deployment", { queued: null, waiting: 7, skippedDelivery: null }, [7]],
    ["a newer deployment that ended", { queued: null, waiting: null, skippedDelivery: 3 }, [3]],
    ["nothing", { queued: null, waiting: null, skippedDelivery: null }, []],
  ] as const)("names the deployment and the delivery after %s", (_what, result, numbers) => {
    const text = describeUnlocked({ lock: lock(null), ...result });
    expect(numbersIn(text)).toEqual([...numbers]);
    expect(text).toMatchSnapshot();
  });
});
