import { describe, expect, test } from "bun:test";
import { findDataDirectory } from "../../src/config/data-directory.ts";
import { makeHome } from "./home.ts";

const home = makeHome();

const locate = (env: Record<string, string> = {}) =>
  findDataDirectory(undefined, { env, cwd: home.path() }, home.path("system.toml"));

describe("findDataDirectory", () => {
  test("ignores other faults of the configuration", () => {
    home.write("hooklatch.toml", 'data_dir = "data"\nunknown = 1\n[[source]]\nsecrets = ["file:/nowhere"]\n');
    expect(locate()).toBe(home.path("data"));
  });

  test("falls back to the environment, then to the default, when the file does not set it", () => {
    expect(locate()).toBe(home.path("hooklatch-data"));
    home.write("hooklatch.toml", "[server]\nport = 1\n");
    expect(locate({ STATE_DIRECTORY: "/var/lib/hooklatch" })).toBe("/var/lib/hooklatch");
  });

  test("returns null when the file is not valid TOML", () => {
    home.write("hooklatch.toml", "this is [ no TOML");
    expect(locate()).toBeNull();
  });
});
