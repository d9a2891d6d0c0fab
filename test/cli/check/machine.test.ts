import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkClock } from "../../../src/cli/check/clock.ts";
import {
  adviseReader,
  checkDataDirectory,
  checkUser,
  nameNetworkFileSystem,
} from "../../../src/cli/check/data-directory.ts";
import { checkDisks, describeSpace } from "../../../src/cli/check/disk.ts";
import { nameUser } from "../../../src/cli/check/files.ts";
import { checkGit } from "../../../src/cli/check/git.ts";
import { targetOf } from "../../support/target.ts";

setDefaultTimeout(120_000);

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "hooklatch-check-"));
});

afterEach(() => rmSync(root, { recursive: true }));

/** A program of this name that prints a line, in a directory that stands before those of PATH. */
function program(name: string, line: string): string {
  mkdirSync(join(root, "bin"), { recursive: true });
  writeFileSync(join(root, "bin", name), `#!/bin/sh\necho '${line}'\n`, { mode: 0o755 });
  return `${join(root, "bin")}:${process.env.PATH}`;
}

const PATH = process.env.PATH ?? "";

describe("check of the clock", () => {
  const NOW = new Date();
  const look = (now: Date, path = join(root, "none")) =>
    checkClock({ now, dataDir: join(root, "data"), executable: join(root, "executable"), path });

  test("takes a time after everything that was written here, and a data directory that is not there", async () => {
    writeFileSync(join(root, "executable"), "");
    expect(await look(NOW)).toEqual({ level: "ok", text: `clock: ${NOW.toISOString().slice(0, 19)}Z` });
    expect(readdirSync(root)).toEqual(["executable"]);
  });

  test("warns of a time before the executable or what is kept was written", async () => {
    writeFileSync(join(root, "executable"), "");
    expect((await look(new Date("1970-01-01"))).text).toMatch(
      /^clock: 1970-01-01T00:00:00Z, but .*\/executable was written at 20.*: .*; set the clock$/,
    );
    mkdirSync(join(root, "data"));
    writeFileSync(join(root, "data/hooklatch.db"), "");
    const tomorrow = new Date(NOW.getTime() + 86_400_000);
    utimesSync(join(root, "data/hooklatch.db"), tomorrow, tomorrow);
    const { level, text } = await look(NOW);
    expect(level).toBe("warn");
    expect(text).toContain(`but ${join(root, "data/hooklatch.db")} was written at ${tomorrow.toISOString()}`);
  });

  test("warns where systemd says that nothing synchronises it", async () => {
    const text = (await look(NOW, program("timedatectl", "NTPSynchronized=no"))).text;
    expect(text).toEndWith("not synchronised: switch that on (timedatectl set-ntp true)");
    for (const line of ["NTPSynchronized=yes", "System has not been booted with systemd"]) {
      expect((await look(NOW, program("timedatectl", line))).level).toBe("ok");
    }
  });
});

describe("check of the disk", () => {
  test("tells once what is free on one file system", () => {
    const targets = [targetOf("blog", { directory: join(root, "blog") })];
    const [line, ...others] = checkDisks({ dataDir: join(root, "data"), targets });
    expect(line?.text).toMatch(/^disk of the data directory, blog: [\d.]+ [GM]iB free \(\d+ %\)/);
    expect(others).toEqual([]);
    expect(readdirSync(root)).toEqual([]);
  });

  test("tells of each file system by itself", () => {
    const targets = [targetOf("blog", { directory: "/proc/self" })];
    expect(checkDisks({ dataDir: root, targets }).map(({ text }) => text.split(":")[0])).toEqual([
      "disk of the data directory",
      "disk of blog",
    ]);
  });

  test("fails under 100 MiB and warns under 1 GiB or a twentieth", () => {
    const [MIB, GIB] = [1024 ** 2, 1024 ** 3];
    const levelOf = (free: number, total: number) => describeSpace("it", free, total).level;
    expect(levelOf(100 * MIB - 1, 100 * MIB)).toBe("fail");
    expect(levelOf(100 * MIB, 200 * MIB)).toBe("warn");
    expect(levelOf(GIB - 1, 2 * GIB)).toBe("warn");
    expect(levelOf(GIB, 2 * GIB)).toBe("ok");
    expect(levelOf(4 * GIB, 100 * GIB)).toBe("warn");
    expect(describeSpace("it", 512 * MIB, 2 * GIB).text).toBe(
      "disk of it: 512 MiB free (25 %): make room soon",
    );
  });

  test("warns where the file system has no size to tell", () => {
    expect(describeSpace("it", 0, 0)).toEqual({
      level: "warn",
      text: "disk of it: its file system does not tell how much is free: see to it that there is room",
    });
  });
});

describe("check of the data directory", () => {
  const remarksOf = (dataDir: string, files: readonly string[] = []) =>
    checkDataDirectory({
      dataDir,
      generated: files.map((file) => ({ file })),
      targets: [],
    }).map(({ level, text }) => `${level} ${text}`);

  test("takes one that is not there yet, makes none, and takes a private one", () => {
    expect(remarksOf(join(root, "data"))).toEqual([`ok data directory ${join(root, "data")} will be made`]);
    expect(readdirSync(root)).toEqual([]);
    expect(remarksOf(root)).toEqual([`ok data directory ${root}`]);
  });

  test("warns of one, and of secrets in it, that others may read", () => {
    const file = join(root, "admin.token");
    writeFileSync(file, "", { mode: 0o640 });
    chmodSync(root, 0o755);
    expect(remarksOf(root, [file, join(root, "none")])).toEqual([
      `ok data directory ${root}`,
      `warn ${root} is open to others on this machine: chmod go= ${root}`,
      `warn ${file} is open to others on this machine: chmod go= ${file}`,
    ]);
  });

  test("fails a file in its place, whatever its mode", () => {
    writeFileSync(join(root, "data"), "", { mode: 0o644 });
    expect(remarksOf(join(root, "data"))).toEqual([
      `fail data directory ${join(root, "data")} is not a directory: move it away, or name another`,
    ]);
  });

  test("sends whoever may not read what the service has to the service's user, unless that is who asks", () => {
    expect(adviseReader(4_000_000, 4_000_001)).toEndWith("cd / && sudo -u '#4000000' hooklatch check");
    expect(adviseReader(null, 1000)).toEndWith("cd / && sudo -u hooklatch hooklatch check");
    expect(adviseReader(1000, 1000)).toStartWith("this is the service's user: let it read that");
  });

  test("warns when this is not the service's user, and when root would run the commands", () => {
    expect(checkUser(1, 0, true)).toEqual({
      level: "warn",
      text: `the data directory belongs to ${nameUser(1)}, and this is root: what may be read and written here tells little; run it as the service's user: sudo -u ${nameUser(1)} hooklatch check`,
    });
    expect(checkUser(4_000_000, 4_000_001, true)?.text).toEndWith("sudo -u '#4000000' hooklatch check");
    for (const owner of [0, null]) {
      expect(checkUser(owner, 0, true)?.text).toStartWith("this is root: ");
      expect(checkUser(owner, 0, false)).toBeNull();
    }
    for (const owner of [1000, null]) expect(checkUser(owner, 1000, true)).toBeNull();
    expect(checkUser(1000, null, true)).toBeNull();
  });

  test("knows the file systems of networks, however their number was read", () => {
    const types = [0x6969, 0xff534d42, 0xff534d42 | 0, 0xfe534d42, 0xef53];
    expect(types.map(nameNetworkFileSystem)).toEqual(["NFS", "CIFS", "CIFS", "SMB", null]);
  });
});

describe("check of git", () => {
  const targets = [targetOf("blog")];
  const versionOf = (line: string, given = targets) => checkGit(given, program("git", line));

  test("asks for it only where a target has a repository", async () => {
    expect(await checkGit([targetOf("blog", { watch: null })], join(root, "none"))).toEqual([]);
    expect((await checkGit(targets, PATH))[0]?.text).toStartWith("git version ");
    expect((await checkGit(targets, join(root, "none")))[0]?.level).toBe("fail");
  });

  test("warns of one that is too old for what is asked of it", async () => {
    expect(await versionOf("git version 2.30.2")).toEqual([
      {
        level: "warn",
        text: "git version 2.30.2 is older than 2.31, which releases and tokens need: install a newer one",
      },
    ]);
    for (const line of ["git version 2.31.0", "git version 3.0.0 (Apple Git-1)", "git of some kind"]) {
      expect(await versionOf(line)).toEqual([{ level: "ok", text: line }]);
    }
  });

  test("wants a newer one where commits are verified", async () => {
    const verifying = [targetOf("blog", { allowedSigners: "/signers" })];
    expect((await versionOf("git version 2.33.8", verifying))[0]?.text).toContain(
      "2.34, which verify_commit needs",
    );
    expect((await versionOf("git version 2.34.1", verifying))[0]?.level).toBe("ok");
  });
});
