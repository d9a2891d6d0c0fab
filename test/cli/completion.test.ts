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
import { AdminServer, page, TOKEN, targetAnswer } from "./admin-server.ts";
import { runHooklatch } from "./command-line.ts";

setDefaultTimeout(120_000);

let home: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
});

afterAll(() => rmSync(home, { recursive: true }));

async function script(shell: string): Promise<string> {
  const { exitCode, stdout, stderr } = await runHooklatch(`completion ${shell}`, { cwd: home });
  expect([exitCode, stderr]).toEqual([0, ""]);
  const file = join(home, `completion.${shell}`);
  writeFileSync(file, stdout);
  return file;
}

describe("the completion for bash", () => {
  /** What bash offers for a line of which the last word is being typed. */
  async function complete(...words: readonly string[]): Promise<string[]> {
    // Stands for the executable when the script asks for the names of the targets.
    const program = join(home, "hooklatch");
    writeFileSync(
      program,
      '#!/bin/sh\ntest "$*" = "completion targets" && printf "blog\\nbeta\\ndocs\\n"\n',
      { mode: 0o755 },
    );
    const typed = [program, ...words].map((word) => `'${word}'`).join(" ");
    const line = `source "$1"; COMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _hooklatch; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const ran = Bun.spawnSync(["bash", "-c", line, "bash", await script("bash")], { cwd: home });
    expect(ran.stderr.toString()).toBe("");
    return ran.stdout.toString().split("\n").filter(Boolean).sort();
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
  ])("offers after %j: %j", async (words, offered) => {
    expect(await complete(...words)).toEqual(offered);
  });
});

describe("the completion", () => {
  test.each(["bash", "zsh", "fish"])("for %s names every command and option, and is sound", async (shell) => {
    const file = await script(shell);
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
    const checked = Bun.spawnSync([shell, shell === "fish" ? "--no-execute" : "-n", file]);
    expect([checked.exitCode, checked.stderr.toString()]).toEqual([0, ""]);
  });
});

describe("the names of the targets for the completion", () => {
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

  const ask = (token: string) =>
    runHooklatch("completion targets", { cwd: home, env: { HOOKLATCH_ADMIN_TOKEN: token } });

  test("are told one a line, but for one that a shell would take for more than a word", async () => {
    server.answerWith({ "GET /api/targets": page(targetAnswer(), targetAnswer({ name: "$(touch x)" })) });
    expect(await ask(TOKEN)).toEqual({ exitCode: 0, stdout: "blog\n", stderr: "" });
  });

  test("are nothing, in silence, when the server cannot be asked", async () => {
    const nothing = { exitCode: 0, stdout: "", stderr: "" };
    expect(await ask("another server's token, long enough")).toEqual(nothing);
    await server.close();
    expect(await ask(TOKEN)).toEqual(nothing);
    expect(await runHooklatch("completion targets --help", { cwd: home })).toMatchObject({ exitCode: 0 });
  });
});
