import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, lchownSync, symlinkSync } from "node:fs";
import { loadAdminAccess } from "../../src/config/admin-access.ts";
import { findTrustProblem } from "../../src/config/read/toml.ts";
import { AppError } from "../../src/lib/errors.ts";
import { configOf, expectFindings, makeHome } from "./home.ts";

const home = makeHome();
const USER = process.geteuid?.() ?? 0;
const NOBODY = 65_534;

describe("findTrustProblem", () => {
  test.each([
    ["of the user, private", { uid: 1000, mode: 0o100600 }, true],
    ["of the user, readable by all", { uid: 1000, mode: 0o100644 }, true],
    ["of root", { uid: 0, mode: 0o100640 }, true],
    ["of another user", { uid: 1001, mode: 0o100600 }, false],
    ["of the user, writable by the group", { uid: 1000, mode: 0o100664 }, false],
    ["of the user, writable by others", { uid: 1000, mode: 0o100602 }, false],
    ["of root, writable by the group", { uid: 0, mode: 0o100660 }, false],
  ])("a file %s", (_, stats, isTrusted) => {
    expect(findTrustProblem(stats, 1000) === null).toBe(isTrusted);
  });

  test("distrusts every file of a system without owners, such as Windows", () => {
    expect(findTrustProblem({ uid: 0, mode: 0o100600 }, null)).not.toBeNull();
  });
});

describe("a configuration file that is only found", () => {
  test.each([0o664, 0o646, 0o666])("is not used with the mode %o", (mode) => {
    chmodSync(home.write("hooklatch.toml", 'data_dir = "d"\n'), mode);
    expectFindings(home.load(), [["hooklatch.toml", "--config"]]);
  });

  test("is not skipped in favour of the system's file", () => {
    home.write("system.toml", "");
    chmodSync(home.write("hooklatch.toml", ""), 0o666);
    expect(home.load().kind).toBe("invalid");
  });

  test("is not used as the system's file either", () => {
    chmodSync(home.write("system.toml", ""), 0o666);
    expectFindings(home.load(), [home.path("system.toml")]);
  });

  test("leads no command to an admin listener", () => {
    chmodSync(home.write("hooklatch.toml", '[admin]\ntoken = "file:/etc/passwd"\n'), 0o666);
    const load = () => loadAdminAccess(undefined, { env: {}, cwd: home.path() }, home.path("none.toml"));
    expect(load).toThrow(AppError);
    expect(load).toThrow("--config");
  });

  test("is used when it is named", () => {
    const file = home.write("hooklatch.toml", 'data_dir = "d"\n');
    chmodSync(file, 0o666);
    expect(configOf(home.load({ file })).isFound).toBe(false);
    expect(configOf(home.load({ env: { HOOKLATCH_CONFIG: file } })).dataDir).toBe(home.path("d"));
  });

  test("is used when it is private, and known as found", () => {
    const file = home.write("hooklatch.toml", "");
    chmodSync(file, 0o600);
    expect(configOf(home.load())).toMatchObject({ file, isFound: true });
  });

  test.skipIf(USER !== 0)("is not used when it belongs to another user", () => {
    chownSync(home.write("hooklatch.toml", ""), NOBODY, NOBODY);
    expectFindings(home.load(), [["hooklatch.toml", "--config"]]);
  });

  test.skipIf(USER !== 0)("is not used through the symbolic link of another user", () => {
    home.write("real.toml", 'data_dir = "relative"\n');
    symlinkSync("real.toml", home.path("hooklatch.toml"));
    expect(home.load().kind).toBe("loaded");
    lchownSync(home.path("hooklatch.toml"), NOBODY, NOBODY);
    expect(home.load().kind).toBe("invalid");
  });
});
