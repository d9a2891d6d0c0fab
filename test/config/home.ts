import { afterEach, beforeEach, expect } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Config, describeIssue, type Loaded, loadConfig } from "../../src/config/load.ts";
import { words } from "../support/words.ts";
import { lists } from "./lists.ts";

/** A temporary directory for each test. Configurations load from it without the files and variables of the machine. */
export interface Home {
  /** Returns the absolute path of a file in it. */
  path(...parts: string[]): string;
  /** Writes a file and returns its absolute path. */
  write(name: string, content: string | Uint8Array): string;
  load(options?: {
    file?: string;
    env?: Record<string, string>;
    toServe?: boolean;
    platform?: NodeJS.Platform;
  }): Loaded;
}

/** Registers the hooks that create and remove the directory. Call it once for each file or `describe`. */
export function makeHome(): Home {
  let root = "";
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "hooklatch-config-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const path = (...parts: string[]) => join(root, ...parts);
  return {
    path,
    write: (name, content) => {
      mkdirSync(dirname(path(name)), { recursive: true });
      writeFileSync(path(name), content);
      return path(name);
    },
    load: ({ file, env = {}, toServe = false, platform = "linux" } = {}) =>
      loadConfig(file, { env, cwd: root, platform }, lists, { systemFile: path("system.toml"), toServe }),
  };
}

/** Returns the configuration, or throws an error with the faults. */
export function configOf(loaded: Loaded): Config {
  if (loaded.kind === "loaded") return loaded.config;
  throw new Error(`the configuration has faults:\n${linesOf(loaded).join("\n")}`);
}

/**
 * Returns the faults or, for a valid configuration, the warnings, one line each. Without their lines and owners, which
 * lines.test.ts checks.
 */
export function linesOf(loaded: Loaded): readonly string[] {
  return findingsOf(loaded).map(({ file, path, message }) => describeIssue({ file, path, message }));
}

/** Where a finding is, as `file: path`, alone or followed by texts that its message has to contain. */
export type ExpectedFinding = string | readonly [place: string, ...mentions: string[]];

/**
 * Asserts the places of all faults or warnings in order, and compares their lines with a snapshot of the running test.
 * Only the snapshot has the wording: a text that a message has to contain whatever its wording is a mention.
 */
export function expectFindings(loaded: Loaded, expected: readonly ExpectedFinding[]): void {
  const findings = findingsOf(loaded);
  const places = findings.map(({ file, path }) => (path === "" ? file : `${file}: ${path}`));
  expect(places).toEqual(expected.map((each) => (typeof each === "string" ? each : each[0])));
  for (const [at, { message }] of findings.entries()) {
    const [, ...mentions] = [expected[at] ?? []].flat();
    for (const mention of mentions) expect(message).toContain(mention);
  }
  if (findings.length > 0) expect(linesOf(loaded).map((line) => words(line))).toMatchSnapshot();
}

function findingsOf(loaded: Loaded) {
  return loaded.kind === "loaded" ? loaded.warnings : loaded.faults;
}
