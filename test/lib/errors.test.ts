import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { describeFileError } from "../../src/lib/errors.ts";

function errorOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

test("describeFileError leaves out the code, the operation and the file", () => {
  expect(describeFileError(errorOf(() => readFileSync("/none/a, open 'b'")))).toBe(
    "no such file or directory",
  );
  expect(describeFileError(errorOf(() => readFileSync(tmpdir())))).toMatch(
    /^illegal operation on a directory$/i,
  );
  expect(describeFileError(errorOf(() => mkdirSync(tmpdir())))).toBe("file already exists");
  expect(describeFileError(errorOf(() => rmdirSync("/proc/self")))).toMatch(/^[a-z][a-z ]+$/);
});

test("describeFileError keeps the message of another error", () => {
  expect(describeFileError(new Error("the file is empty: remove it, and 'x'"))).toBe(
    "the file is empty: remove it, and 'x'",
  );
  expect(describeFileError("text")).toBe("text");
});
