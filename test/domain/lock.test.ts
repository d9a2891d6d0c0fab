import { expect, test } from "bun:test";
import { describeLock, hasExpired, isLockReason, type Lock } from "../../src/domain/lock.ts";
import { words } from "../support/words.ts";

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

test("isLockReason recognises the descriptions of locks and no other reasons", () => {
  expect(isLockReason(describeLock(lock(NOON)))).toBe(true);
  expect(isLockReason(describeLock(lock(null)))).toBe(true);
  expect(isLockReason('branch "locked by ada" is not "main"')).toBe(false);
});
