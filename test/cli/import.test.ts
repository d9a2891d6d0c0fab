import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { blocksOf, pageText } from "../docs/pages.ts";
import { hook, match } from "../import/translate-hooks.ts";
import { words } from "../support/words.ts";
import { runHooklatch, UNPRINTABLE } from "./command-line.ts";

const SECRET = "a secret of the tests";
const GITLAB = hook({ "trigger-rule": match(SECRET, "X-Gitlab-Token", "header") });

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "hooklatch-import-"));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

function write(name: string, content: unknown): void {
  writeFileSync(join(cwd, name), typeof content === "string" ? content : JSON.stringify(content));
}

const run = (...args: readonly string[]) => runHooklatch(["import", ...args], { cwd });

describe("hooklatch import", () => {
  test("prints a configuration, and what became of each hook on standard error", async () => {
    write("hooks.json", [GITLAB, hook({ id: "open" }), hook({ id: "get", "http-methods": ["GET"] })]);
    const { exitCode, stdout, stderr } = await run("hooks.json");
    expect(exitCode).toBe(1);
    expect(words(stdout)).toMatchSnapshot("configuration");
    expect(words(stderr)).toMatchSnapshot("report");
    expect(stderr).not.toContain(SECRET);
  });

  test("exits with 0 if every hook was translated", async () => {
    write("hooks.yaml", `- ${JSON.stringify(GITLAB)}`);
    expect(await run("hooks.yaml")).toMatchObject({ exitCode: 0 });
  });

  test("writes files that the check accepts, the secrets with mode 0600", async () => {
    write("hooks.json", [{ ...GITLAB, "command-working-directory": cwd, "execute-command": "true" }]);
    const { exitCode, stdout } = await run("hooks.json", "--output", "etc/hooklatch.toml");
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: "wrote etc/secrets/app.secret (mode 0600)\nwrote etc/hooklatch.toml\n",
    });
    const mode = (path: string) => statSync(join(cwd, "etc", path)).mode & 0o777;
    expect([mode("secrets"), mode("secrets/app.secret"), mode("hooklatch.toml")]).toEqual([
      0o700, 0o600, 0o644,
    ]);
    expect(readFileSync(join(cwd, "etc/secrets/app.secret"), "utf8")).toBe(SECRET);
    expect(readFileSync(join(cwd, "etc/hooklatch.toml"), "utf8")).not.toContain(SECRET);
    const payload = join(cwd, "push.json");
    writeFileSync(payload, JSON.stringify({ object_kind: "issue" }));
    const check = await runHooklatch(
      ["check", "--config", "etc/hooklatch.toml", "--payload", payload, "--event", "Issue Hook"],
      { cwd },
    );
    expect(check.stderr).toBe("");
  });

  test.each(["etc/hooklatch.toml", "etc/secrets/app.secret"])(
    "overwrites no %s, and writes nothing",
    async (name) => {
      mkdirSync(join(cwd, "etc/secrets"), { recursive: true });
      write(name, "before");
      write("hooks.json", [GITLAB]);
      const { exitCode, stderr } = await run("hooks.json", "-o", "etc/hooklatch.toml");
      expect(exitCode).toBe(1);
      expect(stderr).toContain("already exists");
      const files = readdirSync(join(cwd, "etc"), { recursive: true, withFileTypes: true });
      expect(files.filter((file) => file.isFile()).map((file) => file.name)).toEqual([
        name.replace(/.*\//, ""),
      ]);
      expect(readFileSync(join(cwd, name), "utf8")).toBe("before");
    },
  );

  test("names the configuration first when a repeated import finds all files", async () => {
    write("hooks.json", [GITLAB]);
    const command = ["hooks.json", "-o", "etc/hooklatch.toml"];
    expect(await run(...command)).toMatchObject({ exitCode: 0 });
    const { exitCode, stderr } = await run(...command);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("etc/hooklatch.toml already exists");
  });

  test("writes nothing if no hook could be translated", async () => {
    write("hooks.json", [hook({ "http-methods": ["GET"] })]);
    expect(await run("hooks.json", "-o", "hooklatch.toml")).toMatchObject({ exitCode: 1, stdout: "" });
    expect(existsSync(join(cwd, "hooklatch.toml"))).toBe(false);
  });

  test("translates several files together, whose ids are unique", async () => {
    write("a.json", [GITLAB]);
    write("b.json", [GITLAB, { ...GITLAB, id: "b" }]);
    const { exitCode, stderr } = await run("a.json", "b.json", "--urlprefix", "/x/");
    expect({ exitCode, paths: stderr.match(/\/x\/\w+/g) }).toEqual({
      exitCode: 1,
      paths: ["/x/app", "/x/b"],
    });
  });

  test.each([
    ["is missing", null, []],
    ["is not a list", "{}", []],
    ["is neither JSON nor YAML", "[", []],
    ["has no hooks", "[]", []],
    ["gets an invalid prefix", "[]", ["--urlprefix", "a b"]],
  ])("exits with 2 if the file %s", async (_, text, options) => {
    if (text !== null) write("hooks.json", text);
    const { exitCode, stdout, stderr } = await run("hooks.json", ...options);
    expect({ exitCode, stdout, lines: stderr.split("\n").length }).toEqual({
      exitCode: 2,
      stdout: "",
      lines: 2,
    });
    expect(words(stderr, { [cwd]: "<cwd>" })).toMatchSnapshot();
  });

  test("prints nothing that a terminal would obey", async () => {
    const id = "\u001b[31m\u202e\n";
    write("hooks.json", [
      hook({ id }),
      hook({ id, "pass-arguments-to-command": [{ source: id, name: id }] }),
    ]);
    const { stdout, stderr } = await run("hooks.json");
    expect(stderr + stdout.replaceAll("\n", "")).not.toMatch(UNPRINTABLE);
  });
});

test("docs/move-from-webhook.md shows what the import prints", async () => {
  const blocks = blocksOf(pageText("docs/move-from-webhook.md"));
  write("hooks.json", blocks.find(({ language }) => language === "json")?.code ?? "");
  const { stdout, stderr } = await run("hooks.json");
  expect(stderr).toStartWith("ok ");
  expect(stderr).not.toContain("warn ");
  expect(stdout).toEndWith(`# Hook "deploy"\n${blocks.find(({ language }) => language === "toml")?.code}`);
});
