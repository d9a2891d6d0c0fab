import { expect, test } from "bun:test";
import { describeLock, hasRunOut, isLockReason, type Lock } from "../../src/domain/lock.ts";

const NOON = new Date("2026-11-21T12:00:00.250Z");

function lock(until: Date | null): Lock {
  return { target: "blog", reason: "release freeze", by: "ada", since: NOON, until };
}

test("a lock with a time says who, until when and why", () => {
  expect(describeLock(lock(NOON))).toBe("locked by ada until 2026-11-21T12:00:00Z: release freeze");
});

test("a lock without a time says who and why, and never runs out", () => {
  expect(describeLock(lock(null))).toBe("locked by ada: release freeze");
  expect(hasRunOut(lock(null), new Date("2999-01-01T00:00:00Z"))).toBe(false);
});

test("a lock runs out at its very moment", () => {
  expect(hasRunOut(lock(NOON), new Date(NOON.getTime() - 1))).toBe(false);
  expect(hasRunOut(lock(NOON), NOON)).toBe(true);
});

test("a lock in words is known for one, and other reasons are not", () => {
  expect(isLockReason(describeLock(lock(NOON)))).toBe(true);
  expect(isLockReason(describeLock(lock(null)))).toBe(true);
  expect(isLockReason('branch "locked by ada" is not "main"')).toBe(false);
});
