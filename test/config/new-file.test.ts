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
import { makeNewFile } from "../../src/config/new-file.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

const at = (name: string) => join(directory, name);

test("a new file has its text and mode, and nothing else is left behind", () => {
  expect(makeNewFile(at("a"), "text\n", 0o600)).toBe(true);
  expect([readFileSync(at("a"), "utf8"), statSync(at("a")).mode & 0o777]).toEqual(["text\n", 0o600]);
  expect(readdirSync(directory)).toEqual(["a"]);
});

test("a name that is taken stays as it is, also by a link that leads nowhere", () => {
  writeFileSync(at("a"), "theirs");
  symlinkSync(at("nowhere"), at("b"));
  for (const name of ["a", "b"]) expect(makeNewFile(at(name), "ours", 0o600)).toBe(false);
  expect(readFileSync(at("a"), "utf8")).toBe("theirs");
  expect(readdirSync(directory).sort()).toEqual(["a", "b"]);
});

test("a directory that is not there is a fault", () => {
  expect(() => makeNewFile(at("none/a"), "text", 0o600)).toThrow("ENOENT");
});
