import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type AdminHarness, HOST, openAdmin, RELEASES, TOKEN } from "../http/admin-harness.ts";
import { delivery, keep } from "../store/sample.ts";
import { runHooklatch } from "./command-line.ts";

setDefaultTimeout(120_000);

let admin: AdminHarness;
let server: Bun.Server<undefined>;

beforeEach(async () => {
  admin = await openAdmin();
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    // The harness knows itself by one name, whatever port it is reached at.
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
  return runHooklatch([...args, "--admin-url", `http://127.0.0.1:${server.port}`], { cwd: "/", env });
}

const NOW = new Date("2026-11-21T20:30:00Z");

const ENDING = {
  branch: "main",
  commit: "b".repeat(40),
  release: RELEASES[0] ?? "",
  steps: [{ command: "npm test", exitCode: 1, signal: null, milliseconds: 5 }],
};

const SKIPPED = delivery({
  status: "skipped",
  reason: 'blog: branch "dev" is not "main"',
  decisions: [{ target: "blog", deploy: false, reason: 'branch "dev" is not "main"' }],
});

describe("the commands and the admin listener", () => {
  test("understand each other about targets and locks", async () => {
    expect((await hooklatch("target", "list")).stdout).toContain("blog  main    nothing  idle   -\n");
    expect((await hooklatch("target", "show", "blog")).stdout).toContain(`\n  ${RELEASES[1]}\n`);
    expect((await hooklatch("target", "show", "blgo")).stderr).toContain("did you mean blog?");
    const lock = ["target", "lock", "blog", "--reason", "freeze", "--for", "2h", "--by", "ada"];
    expect((await hooklatch(...lock)).stdout).toContain("blog is locked until 2026-11-21T22:30:00.000Z: ");
    const refused = await hooklatch("target", "deploy", "blog");
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain(
      "locked by ada until 2026-11-21T22:30:00Z: freeze; hooklatch target unlock",
    );
    expect((await hooklatch("target", "list")).stdout).toContain(
      "by ada until 2026-11-21T22:30:00.000Z: freeze",
    );
    expect((await hooklatch("target", "deploy", "blog", "--force")).stdout).toStartWith(
      "deployment 1 is queued",
    );
    expect((await hooklatch("target", "unlock", "blog")).stdout).toStartWith("blog is unlocked: ");
    expect((await hooklatch("target", "unlock", "blog")).stderr).toBe(
      "hooklatch: target blog is not locked\n",
    );
    const rollback = await hooklatch("target", "rollback", "docs");
    expect([rollback.exitCode, rollback.stdout]).toEqual([1, ""]);
    expect(rollback.stderr).toBe("hooklatch: target docs has no repository, and so nothing to go back to\n");
  });

  test("understand each other about deployments", async () => {
    await hooklatch("target", "deploy", "blog", "--commit", "bbbbbbb");
    expect((await hooklatch("deployment", "list", "--state", "queued")).stdout).toContain(
      "1   blog    queued  manual",
    );
    await admin.store.claim(["blog"], NOW);
    await admin.store.appendOutput(1, ["one", "", "three"]);
    const following = hooklatch("deployment", "log", "1", "--follow");
    const ending = { ...ENDING, state: "failed", reason: 'step "npm test" exited with 1' } as const;
    const { deployment } = await admin.store.settle(1, ending, NOW, []);
    admin.broadcast.publish({ kind: "deployment", deployment });
    expect(await following).toEqual({
      exitCode: 1,
      stdout: "one\n\nthree\n",
      stderr: 'hooklatch: deployment 1 failed: step "npm test" exited with 1\n',
    });
    expect((await hooklatch("deployment", "log", "1")).stdout).toBe("one\n\nthree\n");
    const shown = await hooklatch("deployment", "show", "1");
    expect(shown.stdout).toContain("chosen      bbbbbbb\n");
    expect(shown.stdout).toContain("1     5 ms  npm test\n");
    expect((await hooklatch("deployment", "show", "9")).stderr).toContain("there is no deployment 9");
    expect((await hooklatch("deployment", "cancel", "1")).stderr).toContain("deployment 1 has ended already");
    await hooklatch("target", "deploy", "blog");
    expect((await hooklatch("deployment", "cancel", "2")).stdout).toBe(
      "deployment 2 is cancelled; it had not begun\n",
    );
  });

  test("understand each other about deliveries and clients", async () => {
    await keep(admin.store, SKIPPED);
    const list = await hooklatch("delivery", "list", "--source", "github", "--status", "skipped");
    expect(list.stdout).toEndWith('192.0.2.1  blog: branch "dev" is not "main"\n');
    expect((await hooklatch("delivery", "show", "1", "--body")).stdout).toBe('{"ref":"refs/heads/main"}');
    expect((await hooklatch("delivery", "show", "1")).stdout).toContain(
      'blog    no        -           branch "dev"',
    );
    expect((await hooklatch("delivery", "replay", "1")).stdout).toStartWith('202 {"status":"ok"');
    const times = { authorisedAt: NOW, expiresAt: new Date("2126-01-01T00:00:00Z") };
    await admin.store.authorise({ source: "webhook", address: "2001:db8::1", ...times });
    expect((await hooklatch("client", "list")).stdout).toContain("2001:db8::1  webhook  ");
    expect((await hooklatch("client", "revoke", "2001:db8::1")).exitCode).toBe(0);
    expect((await hooklatch("client", "list", "--json")).stdout).toBe('{"items":[],"next":null}\n');
    expect((await hooklatch("client", "revoke", "2001:db8::1")).exitCode).toBe(1);
  });
});
