import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { hostname } from "node:os";
import type { ReloadOutcome } from "../../src/domain/reload.ts";
import { type AdminHarness, HOST, openAdmin, RELEASES, TOKEN } from "../http/admin-harness.ts";
import { delivery, keep } from "../store/sample.ts";
import { runHooklatch } from "./command-line.ts";

setDefaultTimeout(120_000);

let admin: AdminHarness;
let server: Bun.Server<undefined>;
/** The commands of the test and their output. */
let transcript: string;

beforeEach(async () => {
  transcript = "";
  admin = await openAdmin();
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    // The harness accepts a single Host, which does not contain this server's port.
    fetch(request) {
      const headers = new Headers(request.headers);
      headers.set("host", HOST);
      return admin.send(new Request(request, { headers }));
    },
  });
});

afterEach(async () => {
  await server.stop(true);
  await admin.close();
});

async function hooklatch(...args: readonly string[]) {
  const env = { HOOKLATCH_ADMIN_TOKEN: TOKEN };
  const url = `http://127.0.0.1:${server.port}`;
  const result = await runHooklatch([...args, "--admin-url", url], { cwd: "/", env });
  transcript += `$ hooklatch ${args.join(" ")}\n${result.stdout}${result.stderr}`;
  return result;
}

const NOW = new Date("2026-11-21T20:30:00Z");

const ENDING = {
  branch: "main",
  commit: "b".repeat(40),
  subject: "Fix the menu",
  author: "Mona",
  commitUrl: null,
  release: RELEASES[0] ?? "",
  steps: [{ command: "npm test", exitCode: 1, signal: null, milliseconds: 5 }],
};

const SKIPPED = delivery({
  status: "skipped",
  reason: 'blog: branch "dev" is not "main"',
  decisions: [{ target: "blog", deploy: false, code: "branch", reason: 'branch "dev" is not "main"' }],
});

describe("commands against the admin API", () => {
  test("list, lock, deploy, unlock and roll back targets", async () => {
    expect((await hooklatch("target", "list")).stdout).toMatch(/^blog {2}main {2}.* {2}-$/m);
    expect((await hooklatch("target", "show", "blog")).stdout).toContain(`\n  ${RELEASES[1]}\n`);
    expect((await hooklatch("target", "show", "blgo")).stderr).toContain("blog");
    const lock = ["target", "lock", "blog", "--reason", "freeze", "--for", "2h", "--by", "ada"];
    const until = "2026-11-21T22:30:00.000Z";
    expect((await hooklatch(...lock)).stdout).toContain(until);
    const rejected = await hooklatch("target", "deploy", "blog");
    expect(rejected.exitCode).toBe(1);
    for (const fact of ["ada", "2026-11-21T22:30:00Z", "freeze"]) expect(rejected.stderr).toContain(fact);
    const list = await hooklatch("target", "list");
    for (const fact of ["ada", until, "freeze"]) expect(list.stdout).toContain(fact);
    expect((await hooklatch("target", "deploy", "blog", "--force")).stdout).toContain("deployment 1 ");
    expect((await hooklatch("target", "unlock", "blog")).exitCode).toBe(0);
    expect((await hooklatch("target", "unlock", "blog")).exitCode).toBe(1);
    expect(await hooklatch("target", "rollback", "docs")).toMatchObject({ exitCode: 1, stdout: "" });
    expect(transcript).toMatchSnapshot();
  });

  test("list, follow, show and cancel deployments", async () => {
    await hooklatch("target", "deploy", "blog", "--commit", "bbbbbbb");
    expect((await hooklatch("deployment", "list", "--state", "queued")).stdout).toMatch(
      /^1 +blog +queued +manual /m,
    );
    await admin.store.claim(["blog"], NOW);
    await admin.store.appendOutput(1, ["one", "", "three"]);
    const following = hooklatch("deployment", "log", "1", "--follow");
    const ending = {
      ...ENDING,
      state: "failed",
      code: "step_failed",
      reason: 'step "npm test" exited with 1',
    } as const;
    const { deployment } = await admin.store.finish(1, ending, NOW, []);
    admin.eventBus.publish({ kind: "deployment", deployment });
    const { stderr, ...followed } = await following;
    expect(followed).toEqual({ exitCode: 1, stdout: "one\n\nthree\n" });
    expect(stderr).toContain('step "npm test" exited with 1');
    expect((await hooklatch("deployment", "log", "1")).stdout).toBe("one\n\nthree\n");
    const { stdout } = await hooklatch("deployment", "show", "1");
    expect(stdout).toContain("  bbbbbbb\n");
    expect(stdout).toContain("1     5 ms  npm test\n");
    expect((await hooklatch("deployment", "show", "9")).exitCode).toBe(1);
    expect((await hooklatch("deployment", "cancel", "1")).exitCode).toBe(1);
    await hooklatch("target", "deploy", "blog");
    expect((await hooklatch("deployment", "cancel", "2")).exitCode).toBe(0);
    expect(transcript).toMatchSnapshot();
  });

  test("work by their short names, for the newest deployment of a target", async () => {
    expect((await hooklatch("status")).stdout).toMatch(/^source +github \(github\) at \/github-webhook$/m);
    expect(JSON.parse((await hooklatch("status", "--json")).stdout)).toMatchObject({ status: "ok" });
    expect(await hooklatch("logs")).toMatchObject({ exitCode: 1, stdout: "" });
    expect((await hooklatch("logs", "blgo")).stderr).toContain("blog");
    expect(await hooklatch("logs", "blog")).toMatchObject({ exitCode: 1, stdout: "" });
    expect((await hooklatch("deploy", "docs")).stdout).toContain("deployment 1 ");
    expect((await hooklatch("deploy", "blog")).stdout).toContain("deployment 2 ");
    await admin.store.appendOutput(1, ["of docs"]);
    await admin.store.appendOutput(2, ["of blog"]);
    for (const [argument, line] of [
      [[], "of blog\n"],
      [["docs"], "of docs\n"],
      [["1"], "of docs\n"],
    ] as const) {
      expect((await hooklatch("logs", ...argument)).stdout).toBe(line);
    }
    expect((await hooklatch("rollback", "docs")).exitCode).toBe(1);
    const sizes = /(?<=^store +)[\d.]+ \w+|(?<="store_bytes":)\d+/gm;
    const own = `"host":"${hostname()}"`;
    expect(transcript.replaceAll(sizes, "<size>").replaceAll(own, '"host":"web-1"')).toMatchSnapshot();
  });

  test("reload the configuration, and print what needs a restart or every fault", async () => {
    const outcomes: ReloadOutcome[] = [
      { kind: "reloaded", needRestart: ["[server] port"], warnings: ["hooklatch.toml: a warning"] },
      { kind: "invalid", faults: ["hooklatch.toml: one", "hooklatch.toml: \u001btwo"] },
      { kind: "not ready" },
    ];
    await admin.close();
    admin = await openAdmin({ reload: async () => outcomes.shift() ?? { kind: "not ready" } });
    expect(await hooklatch("reload")).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await hooklatch("reload")).toMatchObject({ exitCode: 2, stdout: "" });
    expect(await hooklatch("reload")).toMatchObject({ exitCode: 1, stdout: "" });
    expect(transcript.replace(/127\.0\.0\.1:\d+/, "<address>")).toMatchSnapshot();
  });

  test("list, show and replay deliveries, and list and revoke clients", async () => {
    await keep(admin.store, SKIPPED);
    const list = await hooklatch("delivery", "list", "--source", "github", "--status", "skipped");
    expect(list.stdout).toEndWith('192.0.2.1  blog: branch "dev" is not "main"\n');
    expect((await hooklatch("delivery", "show", "1", "--body")).stdout).toBe('{"ref":"refs/heads/main"}');
    expect((await hooklatch("delivery", "show", "1")).stdout).toMatch(/^blog .* - .*branch "dev"/m);
    expect((await hooklatch("delivery", "replay", "1")).stdout).toMatch(/^delivery 1 .*delivery \d+\n/);
    const times = { authorisedAt: NOW, expiresAt: new Date("2126-01-01T00:00:00Z") };
    await admin.store.authorise({ source: "webhook", address: "2001:db8::1", ...times });
    expect((await hooklatch("client", "list")).stdout).toContain("2001:db8::1  webhook  ");
    expect((await hooklatch("client", "revoke", "2001:db8::1")).exitCode).toBe(0);
    expect((await hooklatch("client", "list", "--json")).stdout).toBe('{"items":[],"next":null}\n');
    expect((await hooklatch("client", "revoke", "2001:db8::1")).exitCode).toBe(1);
    expect(transcript).toMatchSnapshot();
  });
});
