import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adviseUnreadable,
  checkDataDirectory,
  checkUser,
  nameNetworkFileSystem,
} from "../../src/doctor/data-directory.ts";
import { nameUser } from "../../src/doctor/files.ts";
import { checkClock, checkDisks, checkGit, checkSpace } from "../../src/doctor/machine.ts";
import { targetOf } from "../support/target.ts";
import { words } from "../support/words.ts";
import { levelsOf, linesOf, wordsOf } from "./results.ts";

setDefaultTimeout(120_000);

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "hooklatch-check-"));
});

afterEach(() => rmSync(root, { recursive: true }));

/** Creates a program that prints a line, and returns a PATH that starts with its directory. */
function program(name: string, line: string): string {
  mkdirSync(join(root, "bin"), { recursive: true });
  writeFileSync(join(root, "bin", name), `#!/bin/sh\necho '${line}'\n`, { mode: 0o755 });
  return `${join(root, "bin")}:${process.env.PATH}`;
}

const PATH = process.env.PATH ?? "";

describe("clock check", () => {
  const NOW = new Date("2026-11-21T20:30:00Z");

  test("shows the time, and warns if systemd reports that the clock is not synchronised", async () => {
    const unsynchronised = await checkClock(NOW, program("timedatectl", "NTPSynchronized=no"));
    expect(unsynchronised.level).toBe("warn");
    expect(unsynchronised.text).toContain("2026-11-21T20:30:00Z");
    expect(words(unsynchronised.text)).toMatchSnapshot();
    for (const line of ["NTPSynchronized=yes", "System has not been booted with systemd"]) {
      expect((await checkClock(NOW, program("timedatectl", line))).level).toBe("ok");
    }
    const { level, text } = await checkClock(NOW, join(root, "none"));
    expect([level, text]).toEqual(["ok", expect.stringContaining("2026-11-21T20:30:00Z")]);
  });
});

describe("disk check", () => {
  /** Lines without the amount of free space, and what follows it. */
  const withoutSpace = (line: string) => line.replace(/[\d.]+ [GM]iB\b.*/, "<space>");

  test("returns one result for directories on one file system", () => {
    const targets = [targetOf("blog", { directory: join(root, "blog") })];
    const lines = linesOf(checkDisks({ dataDir: join(root, "data"), targets }));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("blog");
    expect(lines[0]).toMatch(/[\d.]+ [GM]iB\b.*\b\d+ %/);
    expect(lines.map((line) => withoutSpace(line.replace(/^\w+ /, "")))).toMatchSnapshot();
    expect(readdirSync(root)).toEqual([]);
  });

  test("returns one result per file system", () => {
    const targets = [targetOf("blog", { directory: "/proc/self" })];
    const [dataDirectory, blog, ...others] = checkDisks({ dataDir: root, targets });
    expect(others).toEqual([]);
    expect(dataDirectory?.text).not.toContain("blog");
    expect(blog?.text).toContain("blog");
  });
});

describe("free disk space", () => {
  test("fails under 100 MiB, and warns under 1 GiB or 5 %", () => {
    const [MIB, GIB] = [1024 ** 2, 1024 ** 3];
    const levelOf = (free: number, total: number) => checkSpace("it", free, total).level;
    expect(levelOf(100 * MIB - 1, 100 * MIB)).toBe("fail");
    expect(levelOf(100 * MIB, 200 * MIB)).toBe("warn");
    expect(levelOf(GIB - 1, 2 * GIB)).toBe("warn");
    expect(levelOf(GIB, 2 * GIB)).toBe("ok");
    expect(levelOf(4 * GIB, 100 * GIB)).toBe("warn");
    const { text } = checkSpace("it", 512 * MIB, 2 * GIB);
    for (const fact of ["512 MiB", "25 %"]) expect(text).toContain(fact);
    const lines = linesOf([
      checkSpace("it", MIB, GIB),
      checkSpace("it", 512 * MIB, 2 * GIB),
      checkSpace("it", 2 * GIB, 4 * GIB),
    ]);
    expect(lines).toMatchSnapshot();
  });

  test("warns when the file system does not report its size", () => {
    const { level, text } = checkSpace("it", 0, 0);
    expect(level).toBe("warn");
    expect(text).toMatchSnapshot();
  });
});

describe("data directory check", () => {
  const check = (dataDir: string, files: readonly string[] = []) =>
    linesOf(checkDataDirectory({ dataDir, generated: files.map((file) => ({ file })), targets: [] }));

  test("accepts a missing directory without creating it, and a private directory", () => {
    const missing = check(join(root, "data"));
    expect(readdirSync(root)).toEqual([]);
    const existing = check(root);
    expect(levelsOf([...missing, ...existing])).toEqual(["ok", "ok"]);
    expect(missing[0]).toContain(join(root, "data"));
    expect(existing[0]).toContain(root);
    expect(wordsOf([...missing, ...existing])).toMatchSnapshot();
  });

  test("warns about a directory and secrets that are readable by others", () => {
    const file = join(root, "admin.token");
    writeFileSync(file, "", { mode: 0o640 });
    chmodSync(root, 0o755);
    const lines = check(root, [file, join(root, "none")]);
    expect(levelsOf(lines)).toEqual(["ok", "warn", "warn"]);
    expect(lines[1]).toEndWith(`chmod go= ${root}`);
    expect(lines[2]).toEndWith(`chmod go= ${file}`);
    expect(wordsOf(lines)).toMatchSnapshot();
  });

  test("fails a file in place of the directory, and does not report its mode", () => {
    writeFileSync(join(root, "data"), "", { mode: 0o644 });
    const lines = check(join(root, "data"));
    expect(levelsOf(lines)).toEqual(["fail"]);
    expect(lines[0]).toContain(join(root, "data"));
    expect(wordsOf(lines)).toMatchSnapshot();
  });
});

describe("advice for an unreadable file", () => {
  test("suggests running check as the service's user, unless that is the current user", () => {
    const otherUser = adviseUnreadable(4_000_000, 4_000_001);
    expect(otherUser).toContain("cd / && sudo -u '#4000000' hooklatch check");
    const unknownUser = adviseUnreadable(null, 1000);
    expect(unknownUser).toContain("cd / && sudo -u hooklatch hooklatch check");
    const sameUser = adviseUnreadable(1000, 1000);
    expect(sameUser).not.toContain("sudo");
    expect([otherUser, unknownUser, sameUser]).toMatchSnapshot();
  });
});

describe("user check", () => {
  test("warns about a user that is not the service's, and about root if there are targets", () => {
    const other = checkUser(1, 0, true);
    expect(other).toEqual([
      { level: "warn", text: expect.stringContaining(`sudo -u ${nameUser(1)} hooklatch check`) },
    ]);
    const unnamed = linesOf(checkUser(4_000_000, 4_000_001, true));
    expect(unnamed).toEqual([expect.stringContaining("sudo -u '#4000000' hooklatch check")]);
    for (const owner of [0, null]) {
      const root = linesOf(checkUser(owner, 0, true));
      expect(levelsOf(root)).toEqual(["warn"]);
      expect(root[0]).not.toContain("sudo");
      expect(checkUser(owner, 0, false)).toEqual([]);
    }
    for (const owner of [1000, null]) expect(checkUser(owner, 1000, true)).toEqual([]);
    expect(checkUser(1000, null, true)).toEqual([]);
    expect([...unnamed, ...linesOf(checkUser(0, 0, true))]).toMatchSnapshot();
  });
});

describe("network file system", () => {
  test("returns the name of a network file system for signed and unsigned numbers", () => {
    const types = [0x6969, 0xff534d42, 0xff534d42 | 0, 0xfe534d42, 0xef53];
    expect(types.map(nameNetworkFileSystem)).toEqual(["NFS", "CIFS", "CIFS", "SMB", null]);
  });
});

describe("git check", () => {
  const targets = [targetOf("blog")];
  const checkVersion = (line: string, configured = targets) => checkGit(configured, program("git", line));

  test("checks git only if a target has a repository", async () => {
    expect(await checkGit([targetOf("blog", { repository: null })], join(root, "none"))).toEqual([]);
    expect((await checkGit(targets, PATH))[0]?.text).toStartWith("git version ");
    const missing = linesOf(await checkGit(targets, join(root, "none")));
    expect(levelsOf(missing)).toEqual(["fail"]);
    expect(missing).toMatchSnapshot();
  });

  test("warns about a version that is too old", async () => {
    const lines = linesOf(await checkVersion("git version 2.30.2"));
    expect(levelsOf(lines)).toEqual(["warn"]);
    for (const version of ["git version 2.30.2", "2.31"]) expect(lines[0]).toContain(version);
    expect(lines).toMatchSnapshot();
    for (const line of ["git version 2.31.0", "git version 3.0.0 (Apple Git-1)", "git of some kind"]) {
      expect(await checkVersion(line)).toEqual([{ level: "ok", text: line }]);
    }
  });

  test("requires a newer version if a target verifies commits", async () => {
    const verifying = [targetOf("blog", { allowedSigners: "/signers" })];
    const lines = linesOf(await checkVersion("git version 2.33.8", verifying));
    expect(levelsOf(lines)).toEqual(["warn"]);
    for (const version of ["git version 2.33.8", "2.34"]) expect(lines[0]).toContain(version);
    expect(lines).toMatchSnapshot();
    expect((await checkVersion("git version 2.34.1", verifying))[0]?.level).toBe("ok");
  });
});
