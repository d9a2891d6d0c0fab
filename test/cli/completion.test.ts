import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AdminServer, deploymentJson, page, TOKEN, targetJson } from "./admin-server.ts";
import { runHooklatch } from "./command-line.ts";

setDefaultTimeout(120_000);

const MAIN = join(import.meta.dir, "../../src/main.ts");

let home: string;
let server: AdminServer;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
  server = new AdminServer();
  const names = ["blog", "beta", "docs", "$(touch x)"];
  server.respondWith({
    "GET /api/targets": page(...names.map((name) => targetJson({ name }))),
    "GET /api/targets/blog": Response.json({
      ...targetJson({ name: "blog" }),
      releases: ["20261121T2030Z-b", "$(x)"],
    }),
    "GET /api/deployments": page(deploymentJson({ id: 12 }), deploymentJson({ id: 7 })),
  });
  const { port } = new URL(server.url);
  writeFileSync(join(home, "hooklatch.toml"), `data_dir = "data"\n[admin]\nport = ${port}\n`);
  // The scripts run the program by its name.
  writeFileSync(join(home, "hooklatch"), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`, {
    mode: 0o755,
  });
});

afterAll(async () => {
  await server.close();
  rmSync(home, { recursive: true });
});

/** Command lines up to the cursor, and the candidates for their last word. */
const COMPLETIONS: readonly (readonly [words: readonly string[], candidates: readonly string[]])[] = [
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
    ["completion", ""],
    ["bash", "fish", "zsh"],
  ],
  [["--v"], ["--version"]],
  [["target", "rollback", "blog", ""], ["20261121T2030Z-b"]],
  [
    ["deployment", "log", ""],
    ["12", "7"],
  ],
  [["target", "deploy", "blog", "--force", "--fo"], ["--follow"]],
];

describe("hooklatch complete", () => {
  async function complete(words: readonly string[], token = TOKEN): Promise<string[]> {
    const env = { HOOKLATCH_ADMIN_TOKEN: token };
    const { exitCode, stdout, stderr } = await runHooklatch(["complete", "--", ...words], { cwd: home, env });
    expect([exitCode, stderr]).toEqual([0, ""]);
    return stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split("\t")[0] ?? "");
  }

  test.each(COMPLETIONS)("prints the candidates for %j", async (words, candidates) => {
    expect((await complete(words)).toSorted()).toEqual([...candidates]);
  });

  test("prints nothing for a value that is not known", async () => {
    for (const words of [
      ["delivery", "show", "--admin-url", ""],
      ["check", "--config", "hook"],
      ["delivery", "show", ""],
      ["nonsense", "nonsense", "x"],
      // The only argument is given.
      ["target", "deploy", "blog", ""],
      ["deployment", "log", "12", ""],
    ]) {
      expect(await complete(words)).toEqual([]);
    }
  });

  test("prints names of targets without those that a shell would expand", async () => {
    expect(await complete(["target", "show", ""])).toEqual(["blog", "beta", "docs"]);
  });

  test("prints nothing if the server rejects the token", async () => {
    expect(await complete(["target", "show", ""], "another token, long enough")).toEqual([]);
  });
});

/** Writes the completion script of a shell and returns its path. */
async function writeScript(shell: string): Promise<string> {
  const { exitCode, stdout, stderr } = await runHooklatch(`completion ${shell}`, { cwd: home });
  expect([exitCode, stderr]).toEqual([0, ""]);
  const file = join(home, `completion.${shell}`);
  writeFileSync(file, stdout);
  return file;
}

const shellEnv = () => ({
  PATH: `${home}:${process.env.PATH}`,
  HOME: home,
  HOOKLATCH_ADMIN_TOKEN: TOKEN,
  TERM: "dumb",
});

/** Runs a shell and returns the lines of its output. */
async function runShell(...argv: readonly string[]): Promise<string[]> {
  const child = Bun.spawn([...argv], { cwd: home, env: shellEnv(), stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect(stderr).toBe("");
  return stdout.split("\n").filter(Boolean);
}

const withoutDescription = (line: string) => line.split("\t")[0] ?? "";

describe("completion in bash", () => {
  async function complete(words: readonly string[]): Promise<string[]> {
    const typed = ["hooklatch", ...words].map((word) => `'${word}'`).join(" ");
    const line = `source "$1"; COMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _hooklatch; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return runShell("bash", "-c", line, "bash", await writeScript("bash"));
  }

  test("offers commands, options, choices and targets", async () => {
    for (const [words, candidates] of COMPLETIONS) {
      expect((await complete(words)).toSorted()).toEqual([...candidates]);
    }
  });

  test("offers files if there are no candidates", async () => {
    expect(await complete(["check", "--config", "hook"])).toEqual([]);
    const script = await writeScript("bash");
    expect(await runShell("bash", "-c", `source '${script}'; complete -p hooklatch`)).toEqual([
      "complete -o default -F _hooklatch hooklatch",
    ]);
  });
});

describe.skipIf(Bun.which("fish") === null)("completion in fish", () => {
  const complete = async (line: string) =>
    runShell("fish", "-c", `source $argv[1]; complete -C $argv[2]`, await writeScript("fish"), line);

  test("offers commands, options, choices and targets", async () => {
    for (const [words, candidates] of COMPLETIONS) {
      const offered = (await complete(`hooklatch ${words.join(" ")}`)).map(withoutDescription);
      expect(offered.toSorted()).toEqual([...candidates]);
    }
  });

  test("shows descriptions, and offers files if there are no candidates", async () => {
    expect(await complete("hooklatch target un")).toEqual([expect.stringMatching(/^unlock\t\w/)]);
    expect((await complete("hooklatch check --config hook")).map(withoutDescription)).toEqual(
      expect.arrayContaining(["hooklatch", "hooklatch.toml"]),
    );
  });
});

describe.skipIf(Bun.which("zsh") === null)("completion in zsh", () => {
  /** Types a line and a tab in an interactive zsh until it shows the text. */
  async function expectCompletion(line: string, text: string): Promise<void> {
    let output = "";
    const { promise: shown, resolve } = Promise.withResolvers<void>();
    const zsh = Bun.spawn(["zsh", "-f", "-i"], {
      cwd: home,
      env: { ...shellEnv(), PS1: "READY> " },
      terminal: {
        cols: 120,
        rows: 40,
        data: (_terminal, data) => {
          output += new TextDecoder().decode(data);
          if (output.includes(text)) resolve();
        },
      },
    });
    const script = await writeScript("zsh");
    // The shell reads the line after it has loaded the script, and echoes it.
    zsh.terminal?.write(`autoload -Uz compinit && compinit -D && source '${script}'\r${line}\t`);
    await shown;
    zsh.kill("SIGKILL");
    await zsh.exited;
  }

  test("offers commands with descriptions, targets and files", async () => {
    await expectCompletion("hooklatch target un", "hooklatch target unlock ");
    await expectCompletion("hooklatch target deploy do", "hooklatch target deploy docs ");
    await expectCompletion("hooklatch check --config completion.z", "--config completion.zsh ");
    await expectCompletion("hooklatch target deploy --fo", "-- deploy a locked target too");
  });
});

describe("a list of an unknown target", () => {
  test.each(["deployment list", "delivery list"])("names the nearest target: %s", async (list) => {
    const empty = new AdminServer();
    try {
      const path = list === "deployment list" ? "/api/deployments" : "/api/deliveries";
      empty.respondWith({
        [`GET ${path}`]: page(),
        "GET /api/targets": page(targetJson({ name: "blog" })),
      });
      const run = (target: string) =>
        runHooklatch(`${list} --target ${target} --admin-url ${empty.url}`, { cwd: home, env: empty.env });
      expect((await run("blgo")).stderr).toContain("did you mean blog?");
      expect((await run("blog")).stderr).not.toContain("did you mean");
    } finally {
      await empty.close();
    }
  });
});
