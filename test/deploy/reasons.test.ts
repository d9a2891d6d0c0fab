import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chownSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeFailure } from "../../src/deploy/failure.ts";
import { createErrorMemory, findCause } from "../../src/deploy/git/cause.ts";
import { findKeyProblem } from "../../src/deploy/git/key-file.ts";
import { git } from "../support/git.ts";
import { Site, snapshotText } from "./site.ts";

setDefaultTimeout(120_000);

let site: Site;
afterEach(() => site?.remove());

describe("findCause", () => {
  test.each([
    ["fatal: write error: No space left on device|fatal: fetch-pack: invalid index-pack output", "disk_full"],
    ["error: unable to create file a: Read-only file system|fatal: Could not reset", "directory_unusable"],
    ["error: first|fatal: second|hint: try again", null],
    ["Permission denied (publickey).|fatal: Could not read from remote repository.||Please make sure", null],
    ['error transferring "abc": [0] remote missing object abc|Failed to fetch some objects', null],
    ["warning: failed to remove a: Permission denied", null],
    ["", null],
  ])("finds the first cause in %s", (output, code) => {
    const cause = findCause(output.split("|"), false);
    expect(cause.code as string | null).toBe(code);
    expect(cause.reason).toMatchSnapshot();
  });

  test("knows a full disk by its free space when git does not name it", () => {
    const lines = [
      "error: unable to write file large",
      "fatal: Could not reset index file to revision 'HEAD'.",
    ];
    expect(findCause(lines, true)).toMatchObject({ code: "disk_full" });
    expect(findCause(lines, false)).toMatchObject({ code: null, reason: "unable to write file large" });
    expect(findCause(["fatal: repository 'x' not found"], true).code).toBeNull();
  });

  test("remembers the first error before any number of lines", () => {
    const memory = createErrorMemory();
    for (const line of ["error: the cause", ...Array.from({ length: 500 }, (_, at) => `error: ${at}`)])
      memory.add(line);
    expect(memory.lines().length).toBeLessThan(50);
    expect(findCause(memory.lines(), false).reason).toBe("the cause");
  });
});

test("a read-only file system names the setting of the service", () => {
  const error = Object.assign(new Error("EROFS: read-only file system, mkdir '/srv/blog/repo'"), {
    code: "EROFS",
  });
  const { code, reason } = describeFailure(error, "/srv/blog");
  expect(code).toBe("directory_unusable");
  expect(reason).toContain("ReadWritePaths=/srv/blog");
  expect(reason).toMatchSnapshot();
});

test.skipIf(process.getuid?.() !== 0)(
  "a repository of another user names owner, user and command (needs root)",
  async () => {
    site = new Site("releases");
    site.repository.commit({ "index.html": "one" });
    for (const path of ["", ".git"]) chownSync(join(site.repository.path, path), 12345, 12345);
    const result = await site.deploy();
    expect(result).toMatchObject({ state: "failed", code: "fetch_failed" });
    for (const part of ["dubious ownership", "user 12345", `chown -R root ${site.repository.path}`]) {
      expect(result.reason).toContain(part);
    }
    expect(snapshotText(result.reason)).toMatchSnapshot();
  },
);

describe("a damaged key file", () => {
  const BODY = "b3BlbnNzaC1rZXktdjEAAAAA";
  const KEY = `-----BEGIN OPENSSH PRIVATE KEY-----\n${BODY}\n-----END OPENSSH PRIVATE KEY-----\n`;

  test.each([
    ["no last newline", KEY.trimEnd()],
    ["CRLF", KEY.replaceAll("\n", "\r\n")],
    ["the public half", `ssh-ed25519 AAAA${BODY} ada@example.com\n`],
    ["one line", KEY.replaceAll("\n", " ")],
    ["nothing", ""],
    ["the first half", KEY.slice(0, 50)],
    ["PuTTY", "PuTTY-User-Key-File-3: ssh-ed25519\n"],
    ["something else", "hello\n"],
  ])("with %s is named", (_, text) => {
    expect(findKeyProblem(text)).toMatchSnapshot();
    expect(findKeyProblem(text)).not.toBeNull();
  });

  test("is not any other key", () => {
    expect(findKeyProblem(KEY)).toBeNull();
    expect(findKeyProblem(KEY.replaceAll("OPENSSH", "RSA").trimEnd())).toBeNull();
    expect(findKeyProblem(KEY.replaceAll("OPENSSH ", "ENCRYPTED "))).toBeNull();
  });

  test("fails the deployment before ssh runs", async () => {
    site = new Site("releases");
    site.repository.commit({ "index.html": "one" });
    const sshKey = join(site.root, "id");
    writeFileSync(sshKey, KEY.trimEnd(), { mode: 0o600 });
    const result = await site.deploy({ access: { sshKey, knownHosts: null, token: null } });
    expect(result).toMatchObject({ state: "failed", code: "fetch_failed", lines: [] });
    expect(result.reason).toContain(sshKey);
    expect(snapshotText(result.reason)).toMatchSnapshot();
  });
});

describe("a file that a person told git to leave alone", () => {
  beforeEach(() => {
    site = new Site("worktree");
    site.repository.commit({ "config.php": "upstream", "docs/a": "a", "app/b": "b" });
  });

  test.each(["skip-worktree", "assume-unchanged"])(
    "is named with its mark %s and keeps its content",
    async (mark) => {
      await site.deploy();
      git(site.directory, "update-index", `--${mark}`, "config.php");
      writeFileSync(join(site.directory, "config.php"), "local");
      // A file that is only assumed to be unchanged would be reset by any checkout.
      site.repository.commit({ "app/b": "two" });
      expect((await site.deploy()).state).toBe(mark === "skip-worktree" ? "succeeded" : "failed");
      expect(readFileSync(join(site.directory, "config.php"), "utf8")).toBe("local");
      site.repository.commit({ "config.php": "upstream 2" });
      const result = await site.deploy();
      expect(result).toMatchObject({ state: "failed", code: "checkout_failed" });
      for (const part of ["config.php", mark, `update-index --no-${mark}`])
        expect(result.reason).toContain(part);
      expect(snapshotText(result.reason)).toMatchSnapshot();
      expect(readFileSync(join(site.directory, "config.php"), "utf8")).toBe("local");
      git(site.directory, "update-index", `--no-${mark}`, "config.php");
      expect(await site.deploy()).toMatchObject({ state: "succeeded", reason: null });
      expect(readFileSync(join(site.directory, "config.php"), "utf8")).toBe("upstream 2");
    },
  );

  test("is not one that a sparse checkout leaves out", async () => {
    await site.deploy();
    git(site.directory, "sparse-checkout", "set", "docs");
    site.repository.commit({ "app/b": "two" });
    expect(await site.deploy()).toMatchObject({ state: "succeeded", reason: null });
  });
});
