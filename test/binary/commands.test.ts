import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { hostname } from "node:os";
import { ADMIN_TOKEN, ServedSite } from "../support/served-site.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

let site: ServedSite;

beforeEach(() => {
  site = new ServedSite();
});

afterEach(() => site.dispose());

const GENERIC = `[[source]]
name = "hook"
provider = "generic"
path = "/hook"
verify_token = "env:HOOKLATCH_ADMIN_TOKEN"
`;

/** Makes 127.0.0.1 an authorised client of the generic source. */
async function authorise(): Promise<void> {
  const url = new URL("/hook", site.server.url);
  const { status } = await fetch(url, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
  expect(status).toBe(200);
}

describe("commands for a running server", () => {
  test("print a table, or with --json the response of the API on one line", async () => {
    await site.start({ more: GENERIC, target: `source = "github"` });
    await site.deploy({ "index.html": "first\n" });
    await authorise();
    for (const [path, ...args] of [
      ["/api/targets", "target", "list"],
      ["/api/targets/blog", "target", "show", "blog"],
      ["/api/deployments", "deployment", "list"],
      ["/api/deployments?state=failed", "deployment", "list", "--state", "failed"],
      ["/api/deployments/1", "deployment", "show", "1"],
      ["/api/deliveries", "delivery", "list", "--source", "github", "--status", "ok", "--target", "blog"],
      ["/api/deliveries/1", "delivery", "show", "1"],
      ["/api/clients", "client", "list"],
    ] as const) {
      const { body } = await site.ask<unknown>("GET", path);
      const json = await site.run(...args, "--json");
      expect([args, json.exitCode, json.stderr]).toEqual([args, 0, ""]);
      expect(json.stdout.match(/\n/g)).toHaveLength(1);
      expect(JSON.parse(json.stdout)).toEqual(body);
      const plain = await site.run(...args);
      expect([args, plain.exitCode, plain.stdout === json.stdout]).toEqual([args, 0, false]);
      expect(plain.stdout).not.toContain("\u001b");
    }
    expect((await site.run("delivery", "show", "1", "--body")).stdout).toBe(
      (await site.readDelivery(1)).body ?? "",
    );
  });

  test("print the response of the API for --json when they change something", async () => {
    await site.start({ more: GENERIC, target: `source = "github"` });
    await site.deploy({ "index.html": "first\n" });
    await authorise();
    const json = async (...args: string[]) => {
      const { exitCode, stdout, stderr } = await site.run(...args, "--json");
      expect([args, exitCode, stderr]).toEqual([args, 0, ""]);
      return JSON.parse(stdout);
    };
    expect(await json("target", "deploy", "blog")).toEqual({
      status: "queued",
      deployment: 2,
      deployments: [{ id: 2, host: hostname() }],
    });
    await site.untilEnded(2);
    expect(await json("target", "rollback", "blog")).toMatchObject({
      id: 3,
      state: "succeeded",
      trigger: "rollback",
    });
    expect(await json("target", "lock", "blog", "--reason", "x", "--for", "1h")).toMatchObject({
      status: "locked",
      target: { locked: { reason: "x", until: expect.any(String) } },
    });
    expect(await json("target", "unlock", "blog")).toMatchObject({ status: "unlocked", deployment: null });
    expect(await json("delivery", "replay", "1")).toMatchObject({
      status: "ok",
      delivery: expect.any(Number),
    });
    expect(await json("client", "revoke", "127.0.0.1", "--source", "hook")).toMatchObject({
      status: "revoked",
      clients: [{ address: "127.0.0.1", source: "hook" }],
    });
    expect((await site.ask<{ items: unknown[] }>("GET", "/api/clients")).body.items).toEqual([]);
  });

  test.each([
    [2, ["target", "show"]],
    [2, ["deployment", "show", "x"]],
    [2, ["deployment", "list", "--state", "gone"]],
    [2, ["delivery", "list", "--limit", "501"]],
    [2, ["delivery", "show", "1", "--nonsense"]],
    [2, ["delivery", "show", "1", "--admin-url", "nowhere"]],
    [2, ["client", "revoke", "not-an-address"]],
    [2, ["target", "deploy", "blog", "--follow", "--json"]],
    [1, ["target", "show", "unknown"]],
    [1, ["deployment", "log", "7"]],
    [1, ["deployment", "log", "7", "--follow"]],
    [1, ["deployment", "show", "7"]],
    [1, ["delivery", "show", "7"]],
    [1, ["client", "revoke", "192.0.2.1"]],
    [1, ["target", "list", "--admin-url", "http://127.0.0.1:1"]],
  ] as const)("exit with %d and print one line on standard error for %j", async (code, args) => {
    await site.start({});
    const { exitCode, stdout, stderr } = await site.run(...args);
    expect([exitCode, stdout]).toEqual([code, ""]);
    expect(stderr).toMatch(/^hooklatch: [^\n]+\n$/);
  });

  test("connect to another machine with --admin-url and $HOOKLATCH_ADMIN_TOKEN alone", async () => {
    await site.start({});
    const elsewhere = new ServedSite();
    try {
      const run = (token: string) =>
        elsewhere.workshop.run(["target", "list", "--admin-url", site.adminUrl], {
          HOOKLATCH_ADMIN_TOKEN: token,
        });
      expect(await run(ADMIN_TOKEN)).toMatchObject({
        exitCode: 0,
        stdout: expect.stringContaining("blog"),
        stderr: "",
      });
      const rejected = await run("a wrong token, long enough");
      expect([rejected.exitCode, rejected.stdout]).toEqual([1, ""]);
      expect(rejected.stderr).toMatch(/^hooklatch: .*\$HOOKLATCH_ADMIN_TOKEN\b.*\n$/);
      expect(rejected.stderr).toContain(site.adminUrl);
      expect(words(rejected.stderr)).toMatchSnapshot();
      expect(await run("")).toMatchObject({ exitCode: 2, stdout: "" });
    } finally {
      await elsewhere.dispose();
    }
  });

  test("escape characters in branch names that would control a terminal", async () => {
    await site.start({});
    site.repository.commit({ "index.html": "first\n" });
    const names = [
      "\ufeffa\u2028b",
      "\u202egnp.exe",
      "a\u200bb",
      "\u2066x\u2069",
      "e\u0301".repeat(500),
      "`id`$(id)",
      "<b>",
    ];
    for (const name of names)
      expect((await site.push({ ref: `refs/heads/${name}` })).body.status).toBe("skipped");
    for (const args of [
      ["list"],
      ["list", "--json"],
      ["show", "1"],
      ["show", "2"],
      ["show", "3"],
      ["show", "4", "--json"],
    ]) {
      const { exitCode, stdout, stderr } = await site.run("delivery", ...args);
      expect([args, exitCode, stderr]).toEqual([args, 0, ""]);
      for (const control of ["\u2028", "\ufeff", "\u202e", "\u2066", "\u200b", "\u001b"])
        expect(stdout).not.toContain(control);
    }
    const { stdout } = await site.run("delivery", "list");
    expect(stdout.trimEnd().split("\n")).toHaveLength(names.length + 1);
    expect(stdout).toMatch(/ blog: .*"\\u202egnp\.exe".*"main"/);
  });

  test("are completed by bash, with their options and the names of targets", async () => {
    await site.start({});
    const { exitCode, stdout } = await site.run("completion", "bash");
    expect(exitCode).toBe(0);
    const script = site.workshop.write("completion.bash", stdout);
    const complete = async (...words: string[]) => {
      const line = `source ${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}
COMP_LINE="\${COMP_WORDS[*]}"; COMP_POINT=\${#COMP_LINE}
$(complete -p hooklatch | sed -E 's/.*-F ([^ ]+).*/\\1/')
printf '%s\\n' "\${COMPREPLY[@]}"`;
      const bash = Bun.spawn(["bash", "-c", line], {
        cwd: site.workshop.path,
        env: {
          ...site.workshop.env({ SECRET: "x".repeat(32), HOOKLATCH_ADMIN_TOKEN: ADMIN_TOKEN }),
          PATH: `${process.cwd()}/dist:${process.env.PATH}`,
        },
        stderr: "pipe",
      });
      return (await new Response(bash.stdout).text())
        .trim()
        .split("\n")
        .map((word) => word.trim());
    };
    expect((await complete("hooklatch", "dep")).sort()).toEqual(["deploy", "deployment"]);
    expect((await complete("hooklatch", "target", "")).sort()).toEqual(
      expect.arrayContaining(["deploy", "list", "lock", "rollback", "show", "unlock"]),
    );
    expect(await complete("hooklatch", "target", "deploy", "--fo")).toEqual(
      expect.arrayContaining(["--follow", "--force"]),
    );
    expect(await complete("hooklatch", "target", "deploy", "")).toContain("blog");
  });
});
