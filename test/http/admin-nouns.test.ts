import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { at, COMMIT_A, COMMIT_B, delivery, keep, pushFor, success } from "../store/sample.ts";
import { type AdminHarness, openAdmin, RELEASES } from "./admin-harness.ts";

let admin: AdminHarness;
const NOW = "2026-11-21T20:30:00.000Z";

beforeEach(async () => {
  admin = await openAdmin();
});

afterEach(() => admin.close());

async function ask(method: string, path: string, body?: unknown): Promise<[number, unknown]> {
  const response = await admin.ask(method, path, body === undefined ? {} : { body });
  return [response.status, await response.json()];
}

/** Walks a list to its end by `before`, `limit` items a page. */
async function walk(path: string, limit: number): Promise<number[][]> {
  const pages: number[][] = [];
  for (let before: number | null | "" = ""; before !== null; ) {
    const query = `limit=${limit}${before === "" ? "" : `&before=${before}`}`;
    const [, page] = await ask("GET", `${path}${path.includes("?") ? "&" : "?"}${query}`);
    const { items, next } = page as { items: { id: number }[]; next: number | null };
    pages.push(items.map(({ id }) => id));
    before = next;
  }
  return pages;
}

/** A deployment of the target that succeeded. */
async function deployed(target: string, commit = COMMIT_A): Promise<number> {
  const {
    deployment: { id },
  } = await admin.store.request({ target, trigger: "manual", commit: null, choice: null }, at(0));
  await admin.store.claim([target], at(1));
  const steps = [{ command: "npm ci", exitCode: null, signal: "SIGTERM", milliseconds: 12 }];
  await admin.store.settle(id, success(commit, { steps }), at(5), []);
  return id;
}

describe("the server", () => {
  test("tells how it is", async () => {
    await admin.ask("POST", "/api/targets/blog/deploy");
    expect(await ask("GET", "/api/status")).toEqual([
      200,
      {
        status: "ok",
        version: "1.2.3",
        started_at: "2026-11-21T20:00:00.000Z",
        public_url: "https://hooks.example.com",
        sources: [{ name: "github", provider: "github", path: "/github-webhook" }],
        targets: 2,
        queued: 1,
        running: 0,
        store_bytes: expect.any(Number),
        certificate_expires_at: "2027-01-01T00:00:00.000Z",
      },
    ]);
  });

  test("is ready until it stops, or can keep nothing", async () => {
    expect(await ask("GET", "/readyz")).toEqual([200, { status: "ok" }]);
    admin.stop();
    expect(await ask("GET", "/readyz")).toEqual([503, { status: "unavailable" }]);
    expect(await ask("GET", "/api/status")).toMatchObject([200, { status: "stopping" }]);
    const full = await openAdmin({ canKeep: async () => false });
    expect((await full.ask("GET", "/readyz")).status).toBe(503);
    await full.close();
  });
});

describe("targets", () => {
  const untouched = { live: null, locked: null, queued: null, running: null, last: null };
  const docs = {
    ...{ name: "docs", source: "github", repository: null, branch: null, tag: null },
    ...{ directory: "/nowhere/docs", layout: "worktree", ...untouched },
  };

  test("are listed in the configuration's order, with what is live and what is under way", async () => {
    const first = await deployed("blog");
    const [, queued] = await ask("POST", "/api/targets/blog/deploy", { commit: "ABCDEF0" });
    expect(queued).toEqual({ status: "queued", deployment: first + 1 });
    const blog = {
      ...{ name: "blog", source: "github", repository: "octocat/blog", branch: "main", tag: null },
      ...{ directory: "/nowhere/blog", layout: "releases", locked: null, queued: first + 1, running: null },
      live: { commit: COMMIT_A, release: success(COMMIT_A).release, since: at(5).toISOString() },
      last: { id: first + 1, state: "queued", reason: null, ended_at: null },
    };
    expect(await ask("GET", "/api/targets")).toEqual([200, { items: [blog, docs], next: null }]);
    expect(await ask("GET", "/api/targets?limit=1")).toEqual([200, { items: [blog], next: 1 }]);
    expect(await ask("GET", "/api/targets?limit=1&before=1")).toEqual([200, { items: [docs], next: null }]);
    expect(await ask("GET", "/api/targets?before=2")).toEqual([200, { items: [], next: null }]);
    expect(await ask("GET", "/api/targets?target=docs&limit=1")).toEqual([
      200,
      { items: [docs], next: null },
    ]);
    expect((await ask("GET", "/api/targets?limit=501"))[0]).toBe(422);
    expect(await ask("GET", "/api/targets?source=other")).toEqual([200, { items: [], next: null }]);
    expect(await ask("GET", "/api/targets/blog")).toEqual([200, { ...blog, releases: RELEASES }]);
    expect(await ask("GET", "/api/targets/docs")).toEqual([200, { ...docs, releases: null }]);
    expect(await ask("GET", `/api/deployments/${first + 1}`)).toMatchObject([
      200,
      { trigger: "manual", chosen: "abcdef0", state: "queued" },
    ]);
  });

  test("are locked for a time, refuse to be deployed, and are unlocked", async () => {
    const locked = { reason: "freeze", by: "ada", since: NOW, until: "2026-11-21T22:30:00.000Z" };
    expect(await ask("POST", "/api/targets/docs/lock", { reason: "freeze", by: "ada", for: "2h" })).toEqual([
      200,
      { status: "locked", target: { ...docs, locked } },
    ]);
    expect(await ask("POST", "/api/targets/docs/deploy", {})).toEqual([
      409,
      { status: "locked", reason: "locked by ada until 2026-11-21T22:30:00Z: freeze" },
    ]);
    expect(await ask("POST", "/api/targets/docs/deploy", { force: true })).toMatchObject([202, {}]);
    expect(await ask("POST", "/api/targets/docs/unlock")).toEqual([
      200,
      { status: "unlocked", deployment: 1, reason: "deployment 1, which waited, is next" },
    ]);
    expect(await ask("POST", "/api/targets/docs/unlock")).toEqual([409, { status: "not locked" }]);
    expect(await ask("POST", "/api/targets/docs/lock", { reason: "freeze" })).toMatchObject([
      200,
      { target: { locked: { by: "admin", until: null } } },
    ]);
  });

  test("go back to a release, and say why they cannot", async () => {
    await deployed("blog", COMMIT_B);
    const [code, { deployment }] = (await ask("POST", "/api/targets/blog/rollback", {
      release: RELEASES[1],
    })) as [number, { deployment: number }];
    expect(code).toBe(202);
    expect(await ask("GET", `/api/deployments/${deployment}`)).toMatchObject([
      200,
      { trigger: "rollback", chosen: RELEASES[1] },
    ]);
    expect(await ask("POST", "/api/targets/docs/rollback")).toMatchObject([
      409,
      { status: "impossible", reason: expect.any(String) },
    ]);
  });
});

describe("deployments", () => {
  test("are shown with all that is known of them", async () => {
    const id = await deployed("blog");
    expect(await ask("GET", `/api/deployments/${id}`)).toEqual([
      200,
      {
        ...{ id, target: "blog", state: "succeeded", reason: null, trigger: "manual", attempt: 1 },
        ...{ delivery: null, pushed_commit: null, chosen: null, branch: "main", commit: COMMIT_A },
        ...{ previous_commit: null, release: success(COMMIT_A).release },
        created_at: at(0).toISOString(),
        started_at: at(1).toISOString(),
        ended_at: at(5).toISOString(),
        steps: [{ command: "npm ci", exit_code: null, signal: "SIGTERM", milliseconds: 12 }],
      },
    ]);
  });

  test("are listed newest first, page by page, and by target and state", async () => {
    for (const target of ["blog", "docs", "blog", "docs", "blog"]) await deployed(target);
    const {
      deployment: { id: queued },
    } = await admin.store.request({ target: "docs", trigger: "manual", commit: null, choice: null }, at(9));
    expect(await walk("/api/deployments", 2)).toEqual([
      [6, 5],
      [4, 3],
      [2, 1],
    ]);
    expect(await walk("/api/deployments", 500)).toEqual([[6, 5, 4, 3, 2, 1]]);
    expect(await walk("/api/deployments?target=docs", 2)).toEqual([[6, 4], [2]]);
    expect(await walk("/api/deployments?target=docs&state=queued", 2)).toEqual([[queued]]);
    expect(await walk("/api/deployments?target=nowhere", 2)).toEqual([[]]);
    const receipt = await keep(admin.store, { ...pushFor("blog"), source: "mirror" });
    expect(await walk("/api/deployments?source=mirror", 2)).toEqual([
      receipt.deployments.map(({ id }) => id),
    ]);
  });

  test("are cancelled while they wait, and not once they have ended", async () => {
    const {
      deployment: { id },
    } = await admin.store.request({ target: "blog", trigger: "manual", commit: null, choice: null }, at(0));
    expect(await ask("POST", `/api/deployments/${id}/cancel`, { by: "ada" })).toMatchObject([
      200,
      { status: "cancelled", deployment: { id, state: "cancelled", reason: "cancelled by ada" } },
    ]);
    expect(await ask("POST", `/api/deployments/${id}/cancel`)).toEqual([
      409,
      { status: "ended", reason: "the deployment has ended: cancelled" },
    ]);
  });
});

describe("deliveries", () => {
  test("are shown with their text and what became of them, and listed without the text", async () => {
    const body = '\ufeff{"naïve":"\\u0000 \u2028"}';
    await keep(
      admin.store,
      delivery({
        reason: "docs: no",
        identity: { id: "72d3162e", hook: "1" },
        body: Buffer.from(body),
        decisions: [
          { target: "blog", deploy: true, reason: null },
          { target: "docs", deploy: false, reason: "no" },
        ],
      }),
    );
    const summary = {
      ...{ id: 1, source: "github", event: "push", status: "ok", reason: "docs: no", received_at: NOW },
      ...{ client: "192.0.2.1", provider_id: "72d3162e", redelivery_of: null, replay_of: null },
      headers: { "content-type": "application/json", "x-github-event": "push" },
      decisions: [
        { target: "blog", deploy: true, reason: null },
        { target: "docs", deploy: false, reason: "no" },
      ],
      deployments: [1],
      outcomes: [{ deployment: 1, target: "blog", state: "queued", reason: null }],
    };
    expect(await ask("GET", "/api/deliveries/1")).toEqual([200, { ...summary, pushed: null, body }]);
    expect(await ask("GET", "/api/deliveries")).toEqual([200, { items: [summary], next: null }]);
  });

  test("are listed newest first, page by page, and by source, status and target", async () => {
    const blog = { decisions: [{ target: "blog", deploy: true, reason: null }] };
    await keep(admin.store, delivery({ ...blog }));
    await keep(admin.store, delivery({ event: "ping", status: "pong" }));
    await keep(admin.store, delivery({ source: "webhook", status: "success" }));
    expect(await walk("/api/deliveries", 2)).toEqual([[3, 2], [1]]);
    expect(await walk("/api/deliveries?source=github", 1)).toEqual([[2], [1]]);
    expect(await walk("/api/deliveries?status=pong", 50)).toEqual([[2]]);
    expect(await walk("/api/deliveries?target=blog", 50)).toEqual([[1]]);
  });

  test("are run again, answered as their sender would have been", async () => {
    expect(await ask("POST", "/api/deliveries/1/replay")).toEqual([
      202,
      { status: "ok", delivery: 7, deployments: [{ id: 1, target: "blog" }] },
    ]);
    expect(await ask("POST", "/api/deliveries/2/replay")).toEqual([
      404,
      { status: "not found", reason: "there is no such delivery" },
    ]);
    expect(admin.replayed).toEqual([1, 2]);
    const reason = "source github is no longer configured";
    const other = await openAdmin({ replay: async () => ({ kind: "unreadable", reason }) });
    const response = await other.ask("POST", "/api/deliveries/1/replay");
    expect([response.status, await response.json()]).toEqual([409, { status: "not replayable", reason }]);
    await other.close();
  });
});

describe("clients", () => {
  const times = { authorised_at: at(0).toISOString(), expires_at: at(50).toISOString() };
  const authorise = (source: string, address: string) =>
    admin.store.authorise({ source, address, authorisedAt: at(0), expiresAt: at(50) });

  test("are listed, and by source", async () => {
    await authorise("webhook", "192.0.2.1");
    await authorise("other", "2001:db8::1");
    expect(await ask("GET", "/api/clients?source=webhook")).toEqual([
      200,
      { items: [{ id: 1, address: "192.0.2.1", source: "webhook", ...times }], next: null },
    ]);
    expect(await walk("/api/clients", 1)).toEqual([[2], [1]]);
  });

  test("are revoked under any way to write their address, at one source or at all", async () => {
    for (const source of ["one", "two", "three"]) await authorise(source, "2001:db8::1");
    await authorise("one", "192.0.2.1");
    const revoked = { address: "2001:db8::1", ...times };
    expect(await ask("DELETE", "/api/clients/2001:DB8:0::0:1?source=two")).toEqual([
      200,
      { status: "revoked", clients: [{ ...revoked, source: "two" }] },
    ]);
    const [code, answer] = await ask("DELETE", "/api/clients/2001%3Adb8%3A%3A1");
    expect(code).toBe(200);
    expect((answer as { clients: unknown[] }).clients).toHaveLength(2);
    expect((await ask("DELETE", "/api/clients/2001:db8::1"))[0]).toBe(404);
    expect((await ask("DELETE", "/api/clients/::ffff:192.0.2.1"))[0]).toBe(200);
    expect(await walk("/api/clients", 50)).toEqual([[]]);
  });
});
