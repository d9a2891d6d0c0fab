import { afterEach, beforeEach } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Config, describeFinding, type Loaded, loadConfig } from "../../src/config/load.ts";
import { lists } from "./lists.ts";

/** An own directory for each test, in which a configuration is read as if nothing else were there. */
export interface Home {
  /** The absolute path of something in it. */
  path(...parts: string[]): string;
  /** Writes a file and returns its absolute path. */
  write(name: string, content: string | Uint8Array): string;
  load(options?: { file?: string; env?: Record<string, string>; toServe?: boolean }): Loaded;
}

/** Call it once in a `describe`; the directory is another one in each test. */
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
    load: ({ file, env = {}, toServe = false } = {}) =>
      loadConfig(file, { env, cwd: root }, lists, { systemFile: path("system.toml"), toServe }),
  };
}

/** The configuration, or a failed test that names the faults. */
export function configOf(loaded: Loaded): Config {
  if (loaded.ok) return loaded.config;
  throw new Error(`the configuration has faults:\n${linesOf(loaded).join("\n")}`);
}

/** The faults, or else the warnings, one line each. */
export function linesOf(loaded: Loaded): readonly string[] {
  return (loaded.ok ? loaded.warnings : loaded.faults).map(describeFinding);
}
