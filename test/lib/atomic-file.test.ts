import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFileAtomically } from "../../src/lib/atomic-file.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

const at = (name: string) => join(directory, name);

test("makeNewFile creates a file with its text and mode and leaves no other file", () => {
  expect(createFileAtomically(at("a"), "text\n", 0o600)).toBe(true);
  expect([readFileSync(at("a"), "utf8"), statSync(at("a")).mode & 0o777]).toEqual(["text\n", 0o600]);
  expect(readdirSync(directory)).toEqual(["a"]);
});

test("makeNewFile does not replace an existing file or a dangling link", () => {
  writeFileSync(at("a"), "existing");
  symlinkSync(at("nowhere"), at("b"));
  for (const name of ["a", "b"]) expect(createFileAtomically(at(name), "new", 0o600)).toBe(false);
  expect(readFileSync(at("a"), "utf8")).toBe("existing");
  expect(readdirSync(directory).sort()).toEqual(["a", "b"]);
});

test("makeNewFile throws when the directory does not exist", () => {
  expect(() => createFileAtomically(at("none/a"), "text", 0o600)).toThrow("ENOENT");
});
