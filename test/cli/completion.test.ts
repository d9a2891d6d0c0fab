import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AdminServer, page, TOKEN, targetJson } from "./admin-server.ts";
import { runHooklatch } from "./command-line.ts";

setDefaultTimeout(120_000);

let home: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
});

afterAll(() => rmSync(home, { recursive: true }));

/** Writes the completion script of a shell and returns its path. */
async function writeScript(shell: string): Promise<string> {
  const { exitCode, stdout, stderr } = await runHooklatch(`completion ${shell}`, { cwd: home });
  expect([exitCode, stderr]).toEqual([0, ""]);
  const file = join(home, `completion.${shell}`);
  writeFileSync(file, stdout);
  return file;
}

describe("bash completion", () => {
  /** The candidates that bash offers for the last word of a command line. */
  async function complete(...words: readonly string[]): Promise<string[]> {
    // Replaces the executable, which the script runs to list the names of the targets.
    const program = join(home, "hooklatch");
    writeFileSync(
      program,
      '#!/bin/sh\ntest "$*" = "completion targets" && printf "blog\\nbeta\\ndocs\\n"\n',
      { mode: 0o755 },
    );
    const typed = [program, ...words].map((word) => `'${word}'`).join(" ");
    const line = `source "$1"; COMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _hooklatch; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const result = Bun.spawnSync(["bash", "-c", line, "bash", await writeScript("bash")], { cwd: home });
    expect(result.stderr.toString()).toBe("");
    return result.stdout.toString().split("\n").filter(Boolean).sort();
  }

  test.each([
    [["tar"], ["target"]],
    [["target", "un"], ["unlock"]],
    [
      ["target", "deploy", "b"],
      ["beta", "blog"],
    ],
    [
      ["target", "deploy", "blog", "--fo"],
      ["--follow", "--force"],
    ],
    [["deployment", "list", "--target", "d"], ["docs"]],
    [
      ["deployment", "list", "--target", "blog", "--state", "s"],
      ["succeeded", "superseded"],
    ],
    [
      ["delivery", "list", "--status", ""],
      ["ok", "pong", "skipped", "success"],
    ],
    [["delivery", "show", "--admin-url", ""], []],
    [["check", "--config", "hook"], ["hooklatch"]],
    [
      ["completion", ""],
      ["bash", "fish", "help", "zsh"],
    ],
    [["--v"], ["--version"]],
  ])("completes %j to %j", async (words, offered) => {
    expect(await complete(...words)).toEqual(offered);
  });
});

describe("completion scripts", () => {
  test.each(["bash", "zsh", "fish"])(
    "for %s contain the commands and have no syntax errors",
    async (shell) => {
      const file = await writeScript(shell);
      const text = await Bun.file(file).text();
      for (const word of [
        "target rollback",
        "deployment log",
        "delivery replay",
        "client revoke",
        "follow",
        "superseded",
      ]) {
        expect(text).toContain(word);
      }
      if (Bun.which(shell) === null) return;
      const check = Bun.spawnSync([shell, shell === "fish" ? "--no-execute" : "-n", file]);
      expect([check.exitCode, check.stderr.toString()]).toEqual([0, ""]);
    },
  );
});

describe("hooklatch completion targets", () => {
  let server: AdminServer;

  beforeEach(() => {
    server = new AdminServer();
    const { port } = new URL(server.url);
    writeFileSync(join(home, "hooklatch.toml"), `data_dir = "data"\n[admin]\nport = ${port}\n`);
  });

  afterEach(async () => {
    await server.close();
    rmSync(join(home, "hooklatch.toml"));
  });

  const listNames = (token: string) =>
    runHooklatch("completion targets", { cwd: home, env: { HOOKLATCH_ADMIN_TOKEN: token } });

  test("prints one name per line, without names that a shell would expand", async () => {
    server.respondWith({ "GET /api/targets": page(targetJson(), targetJson({ name: "$(touch x)" })) });
    expect(await listNames(TOKEN)).toEqual({ exitCode: 0, stdout: "blog\n", stderr: "" });
  });

  test("prints nothing and exits with 0 when the server is unavailable or rejects the token", async () => {
    const nothing = { exitCode: 0, stdout: "", stderr: "" };
    expect(await listNames("another server's token, long enough")).toEqual(nothing);
    await server.close();
    expect(await listNames(TOKEN)).toEqual(nothing);
    expect(await runHooklatch("completion targets --help", { cwd: home })).toMatchObject({ exitCode: 0 });
  });
});
