import { describe, expect, test } from "bun:test";
import { locateDataDir } from "../../src/config/locate-data-dir.ts";
import { makeHome } from "./home.ts";

const home = makeHome();

const locate = (env: Record<string, string> = {}) =>
  locateDataDir(undefined, { env, cwd: home.path() }, home.path("system.toml"));

describe("the data directory alone", () => {
  test("is found whatever else is wrong with the configuration", () => {
    home.write("hooklatch.toml", 'data_dir = "kept"\nunknown = 1\n[[source]]\nsecrets = ["file:/nowhere"]\n');
    expect(locate()).toBe(home.path("kept"));
  });

  test("is where the environment has it, or the default one, without a file or without the key", () => {
    expect(locate()).toBe(home.path("hooklatch-data"));
    home.write("hooklatch.toml", "[server]\nport = 1\n");
    expect(locate({ STATE_DIRECTORY: "/var/lib/hooklatch" })).toBe("/var/lib/hooklatch");
  });

  test("is nowhere where the file is none", () => {
    home.write("hooklatch.toml", "this is [ no TOML");
    expect(locate()).toBeNull();
  });
});
