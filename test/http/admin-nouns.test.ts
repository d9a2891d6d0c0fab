import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { hostname } from "node:os";
import { at, COMMIT_A, COMMIT_B, delivery, keep, pushFor, success } from "../store/sample.ts";
import { type AdminHarness, openAdmin, RELEASES, SOURCE } from "./admin-harness.ts";

let admin: AdminHarness;
const NOW = "2026-11-21T20:30:00.000Z";

beforeEach(async () => {
  admin = await openAdmin();
});

afterEach(() => admin.close());

/** Calls the API and returns the code and the JSON of the response. */
async function call(method: string, path: string, body?: unknown): Promise<[number, unknown]> {
  const response = await admin.request(method, path, body === undefined ? {} : { body });
  return [response.status, await response.json()];
}

function reasonOf([, json]: readonly [number, unknown]): string {
  return (json as { reason: string }).reason;
}

/** Returns the ids of all pages of a list, with `limit` items on each page. */
async function readPages(path: string, limit: number): Promise<number[][]> {
  const pages: number[][] = [];
  for (let before: number | null | "" = ""; before !== null; ) {
    const query = `limit=${limit}${before === "" ? "" : `&before=${before}`}`;
    const [, page] = await call("GET", `${path}${path.includes("?") ? "&" : "?"}${query}`);
    const { items, next } = page as { items: { id: number }[]; next: number | null };
    pages.push(items.map(({ id }) => id));
    before = next;
  }
  return pages;
}

/** Creates a succeeded deployment of the target and returns its id. */
async function deploy(target: string, commit = COMMIT_A): Promise<number> {
  const {
    deployment: { id },
  } = await admin.store.queueDeployment({ target, trigger: "manual", commit: null, choice: null }, at(0));
  await admin.store.claim([target], at(1));
  const steps = [{ command: "npm ci", exitCode: null, signal: "SIGTERM", milliseconds: 12 }];
  await admin.store.finish(id, success(commit, { steps }), at(5), []);
  return id;
}

describe("admin API > server", () => {
  test("reports its status", async () => {
    await admin.request("POST", "/api/targets/blog/deploy");
    expect(await call("GET", "/api/status")).toEqual([
      200,
      {
        status: "ok",
        version: "1.2.3",
        started_at: "2026-11-21T20:00:00.000Z",
        public_url: "https://hooks.example.com",
        sources: [{ name: "github", provider: "github", path: "/github-webhook" }],
        host: hostname(),
        hosts: null,
        targets: 2,
        queued: 1,
        running: 0,
        store_bytes: expect.any(Number),
        certificate_expires_at: "2027-01-01T00:00:00.000Z",
        disks: [{ path: "/var/lib/hooklatch", free_bytes: 8_000_000_000, total_bytes: 20_000_000_000 }],
      },
    ]);
  });

  test("is ready until it stops or cannot write to the store", async () => {
    expect(await call("GET", "/readyz")).toEqual([200, { status: "ok" }]);
    admin.stop();
    expect(await call("GET", "/readyz")).toEqual([503, { status: "unavailable" }]);
    expect(await call("GET", "/api/status")).toMatchObject([200, { status: "stopping" }]);
    const full = await openAdmin({ canAccept: async () => false });
    expect((await full.request("GET", "/readyz")).status).toBe(503);
    await full.close();
  });
});

describe("admin API > hosts", () => {
  test("are not listed and not operated where the store has one host", async () => {
    expect(await call("GET", "/api/hosts")).toEqual([200, { items: [], next: null }]);
    for (const [method, path] of [
      ["GET", "/api/hosts/web-1"],
      ["POST", "/api/hosts/web-1/drain"],
      ["POST", "/api/hosts/web-1/undrain"],
      ["DELETE", "/api/hosts/web-1"],
    ] as const) {
      expect(await call(method, path)).toMatchObject([409, { status: "single host" }]);
    }
    const own = await call("GET", `/api/targets?host=${hostname()}`);
    expect(own).toMatchObject([200, { items: [{ name: "blog" }, { name: "docs" }] }]);
    expect(await call("GET", "/api/targets?host=web-1")).toEqual([200, { items: [], next: null }]);
    expect(await call("GET", "/api/deployments?host=web-1")).toEqual([200, { items: [], next: null }]);
  });
});

describe("admin API > targets", () => {
  const untouched = { live: null, locked: null, queued: null, running: null, last: null, hosts: null };
  const docs = {
    ...{ name: "docs", source: "github", repository: null, branch: null, tag: null },
    ...{ wait_for_ci: null, directory: "/nowhere/docs", layout: "worktree", ...untouched },
  };

  test("are listed in configuration order, with the live release and unfinished deployments", async () => {
    const first = await deploy("blog");
    const [, queued] = await call("POST", "/api/targets/blog/deploy", { commit: "ABCDEF0" });
    expect(queued).toEqual({
      status: "queued",
      deployment: first + 1,
      deployments: [{ id: first + 1, host: hostname() }],
    });
    const blog = {
      ...{ name: "blog", source: "github", repository: "octocat/blog", branch: "main", tag: null },
      ...{
        wait_for_ci: null,
        directory: "/nowhere/blog",
        layout: "releases",
        locked: null,
        queued: first + 1,
        running: null,
        hosts: null,
      },
      live: {
        ...{ commit: COMMIT_A, release: success(COMMIT_A).release, since: at(5).toISOString() },
        ...{ deployment: first, subject: "Fix the menu", author: "Mona Lisa", commit_url: null },
      },
      last: { id: first + 1, state: "queued", code: null, reason: null, ended_at: null },
    };
    expect(await call("GET", "/api/targets")).toEqual([200, { items: [blog, docs], next: null }]);
    expect(await call("GET", "/api/targets?limit=1")).toEqual([200, { items: [blog], next: 1 }]);
    expect(await call("GET", "/api/targets?limit=1&before=1")).toEqual([200, { items: [docs], next: null }]);
    expect(await call("GET", "/api/targets?before=2")).toEqual([200, { items: [], next: null }]);
    expect(await call("GET", "/api/targets?target=docs&limit=1")).toEqual([
      200,
      { items: [docs], next: null },
    ]);
    expect((await call("GET", "/api/targets?limit=501"))[0]).toBe(422);
    expect(await call("GET", "/api/targets?source=other")).toEqual([200, { items: [], next: null }]);
    expect(await call("GET", "/api/targets/blog")).toEqual([200, { ...blog, releases: RELEASES }]);
    expect(await call("GET", "/api/targets/docs")).toEqual([200, { ...docs, releases: null }]);
    expect(await call("GET", `/api/deployments/${first + 1}`)).toMatchObject([
      200,
      { trigger: "manual", chosen: "abcdef0", state: "queued" },
    ]);
  });

  test("can be locked for a time, are not deployed while locked, and can be unlocked", async () => {
    const locked = { reason: "freeze", by: "ada", since: NOW, until: "2026-11-21T22:30:00.000Z" };
    expect(await call("POST", "/api/targets/docs/lock", { reason: "freeze", by: "ada", for: "2h" })).toEqual([
      200,
      { status: "locked", target: { ...docs, locked }, deliveries: "held", replaced: null },
    ]);
    const refused = await call("POST", "/api/targets/docs/deploy", {});
    expect(refused).toEqual([409, { status: "locked", reason: expect.any(String) }]);
    for (const part of ["ada", "2026-11-21T22:30:00Z", "freeze"]) expect(reasonOf(refused)).toContain(part);
    expect(await call("POST", "/api/targets/docs/deploy", { force: true })).toMatchObject([202, {}]);
    const unlocked = await call("POST", "/api/targets/docs/unlock");
    expect(unlocked).toEqual([200, { status: "unlocked", deployment: 1, reason: expect.any(String) }]);
    expect([refused, unlocked].map(reasonOf)).toMatchSnapshot();
    expect(await call("POST", "/api/targets/docs/unlock")).toEqual([409, { status: "not locked" }]);
    expect(await call("POST", "/api/targets/docs/lock", { reason: "freeze" })).toMatchObject([
      200,
      { target: { locked: { by: "admin", until: null } }, replaced: null },
    ]);
    expect(await call("POST", "/api/targets/docs/lock", { reason: "migration" })).toMatchObject([
      200,
      { target: { locked: { reason: "migration" } }, replaced: { by: "admin", reason: "freeze" } },
    ]);
  });

  test("can be rolled back to a release, and return a reason when that is impossible", async () => {
    await deploy("blog", COMMIT_B);
    const [code, { deployment }] = (await call("POST", "/api/targets/blog/rollback", {
      release: RELEASES[1],
    })) as [number, { deployment: number }];
    expect(code).toBe(202);
    expect(await call("GET", `/api/deployments/${deployment}`)).toMatchObject([
      200,
      { trigger: "rollback", chosen: RELEASES[1] },
    ]);
    const refused = await call("POST", "/api/targets/docs/rollback");
    expect(refused).toMatchObject([409, { status: "impossible" }]);
    expect(reasonOf(refused)).toMatchSnapshot();
  });
});

describe("admin API > deployments", () => {
  test("are returned with all details", async () => {
    const id = await deploy("blog");
    expect(await call("GET", `/api/deployments/${id}`)).toEqual([
      200,
      {
        ...{ id, target: "blog", host: hostname(), waits_for: null },
        ...{ state: "succeeded", code: null, reason: null, trigger: "manual" },
        ...{ attempt: 1, retry_of: null, retried_as: null, superseded_by: null, delivery: null },
        ...{ pushed_commit: null, chosen: null, branch: "main", commit: COMMIT_A },
        ...{
          subject: "Fix the menu",
          author: "Mona Lisa",
          commit_url: null,
          previous_commit: null,
          release: success(COMMIT_A).release,
        },
        created_at: at(0).toISOString(),
        started_at: at(1).toISOString(),
        ended_at: at(5).toISOString(),
        steps: [{ command: "npm ci", exit_code: null, signal: "SIGTERM", milliseconds: 12 }],
      },
    ]);
  });

  test("are listed newest first, in pages, by target, state and source", async () => {
    for (const target of ["blog", "docs", "blog", "docs", "blog"]) await deploy(target);
    const {
      deployment: { id: queued },
    } = await admin.store.queueDeployment(
      { target: "docs", trigger: "manual", commit: null, choice: null },
      at(9),
    );
    expect(await readPages("/api/deployments", 2)).toEqual([
      [6, 5],
      [4, 3],
      [2, 1],
    ]);
    expect(await readPages("/api/deployments", 500)).toEqual([[6, 5, 4, 3, 2, 1]]);
    expect(await readPages("/api/deployments?target=docs", 2)).toEqual([[6, 4], [2]]);
    expect(await readPages("/api/deployments?target=docs&state=queued", 2)).toEqual([[queued]]);
    expect(await readPages("/api/deployments?target=nowhere", 2)).toEqual([[]]);
    const receipt = await keep(admin.store, { ...pushFor("blog"), source: "mirror" });
    expect(await readPages("/api/deployments?source=mirror", 2)).toEqual([
      receipt.deployments.map(({ id }) => id),
    ]);
  });

  test("can be cancelled while they are queued and not after they have ended", async () => {
    const {
      deployment: { id },
    } = await admin.store.queueDeployment(
      { target: "blog", trigger: "manual", commit: null, choice: null },
      at(0),
    );
    const cancelled = await call("POST", `/api/deployments/${id}/cancel`, { by: "ada" });
    const { deployment } = cancelled[1] as { deployment: { reason: string } };
    const again = await call("POST", `/api/deployments/${id}/cancel`);
    expect([deployment.reason, reasonOf(again)]).toMatchSnapshot();
    expect(deployment.reason).toContain("ada");
    expect(cancelled).toMatchObject([
      200,
      { status: "cancelled", deployment: { id, state: "cancelled", code: "cancelled" } },
    ]);
    expect(again).toEqual([409, { status: "ended", reason: expect.stringContaining("cancelled") }]);
  });
});

describe("admin API > deliveries", () => {
  test("are returned with their body and outcomes, and listed without the body", async () => {
    const body = '\ufeff{"naïve":"\\u0000 \u2028"}';
    await keep(
      admin.store,
      delivery({
        reason: "docs: no",
        identity: { id: "72d3162e", hook: "1" },
        body: Buffer.from(body),
        decisions: [
          { target: "blog", deploy: true, code: null, reason: null },
          { target: "docs", deploy: false, code: "branch", reason: "no" },
        ],
      }),
    );
    const summary = {
      ...{
        id: 1,
        source: "github",
        event: "push",
        event_name: "push",
        action: null,
        status: "ok",
        reason: "docs: no",
        received_at: NOW,
      },
      ...{ client: "192.0.2.1", provider_id: "72d3162e", redelivery_of: null, replay_of: null },
      headers: { "content-type": "application/json", "x-github-event": "push" },
      decisions: [
        { target: "blog", deploy: true, code: null, reason: null },
        { target: "docs", deploy: false, code: "branch", reason: "no" },
      ],
      other_targets: 0,
      deployments: [1],
      outcomes: [{ deployment: 1, target: "blog", state: "queued", code: null, reason: null }],
    };
    expect(await call("GET", "/api/deliveries/1")).toEqual([200, { ...summary, pushes: [], ci: null, body }]);
    expect(await call("GET", "/api/deliveries")).toEqual([200, { items: [summary], next: null }]);
  });

  test("are listed newest first, in pages, by source, status and target", async () => {
    const blog = { decisions: [{ target: "blog", deploy: true, code: null, reason: null }] };
    await keep(admin.store, delivery({ ...blog }));
    await keep(admin.store, delivery({ event: "ping", status: "pong" }));
    await keep(admin.store, delivery({ source: "webhook", status: "success" }));
    expect(await readPages("/api/deliveries", 2)).toEqual([[3, 2], [1]]);
    expect(await readPages("/api/deliveries?source=github", 1)).toEqual([[2], [1]]);
    expect(await readPages("/api/deliveries?status=pong", 50)).toEqual([[2]]);
    expect(await readPages("/api/deliveries?target=blog", 50)).toEqual([[1]]);
  });

  test("can be replayed, with the response that the sender would have received", async () => {
    expect(await call("POST", "/api/deliveries/1/replay")).toEqual([
      202,
      { status: "ok", delivery: 7, deployments: [{ id: 1, target: "blog" }] },
    ]);
    const unknown = await call("POST", "/api/deliveries/2/replay");
    expect(unknown).toEqual([404, { status: "not found", reason: expect.any(String) }]);
    expect(reasonOf(unknown)).toMatchSnapshot();
    expect(admin.replayed).toEqual([1, 2]);
    const reason = "a reason of the replay";
    const other = await openAdmin({ replay: async () => ({ kind: "unreadable", reason }) });
    const response = await other.request("POST", "/api/deliveries/1/replay");
    expect([response.status, await response.json()]).toEqual([409, { status: "not replayable", reason }]);
    await other.close();
  });
});

describe("admin API > refusals", () => {
  const record = (id: string) =>
    admin.refusals.record(SOURCE, "signature verification failed", {
      client: null,
      code: "signature_missing",
      reason: null,
      headers: new Headers({ "x-github-delivery": id }),
    });

  test("are listed with reason, hint and the sender's id", async () => {
    record("6f3a");
    const [code, body] = await call("GET", "/api/refusals?source=github");
    expect(code).toBe(200);
    expect(body).toMatchObject({
      items: [
        { id: 1, time: NOW, source: "github", client: null, code: "signature_missing", provider_id: "6f3a" },
      ],
      next: null,
    });
    expect(body).toMatchSnapshot();
    expect((await call("GET", "/api/refusals?source=other"))[1]).toEqual({ items: [], next: null });
  });

  test("are listed page by page", async () => {
    for (const id of ["a", "b", "c"]) record(id);
    expect(await readPages("/api/refusals", 2)).toEqual([[3, 2], [1]]);
  });
});

describe("admin API > clients", () => {
  const times = { authorised_at: at(0).toISOString(), expires_at: at(50).toISOString() };
  const authorise = (source: string, address: string) =>
    admin.store.authorise({ source, address, authorisedAt: at(0), expiresAt: at(50) });

  test("are listed, all or by source", async () => {
    await authorise("webhook", "192.0.2.1");
    await authorise("other", "2001:db8::1");
    expect(await call("GET", "/api/clients?source=webhook")).toEqual([
      200,
      { items: [{ id: 1, address: "192.0.2.1", source: "webhook", ...times }], next: null },
    ]);
    expect(await readPages("/api/clients", 1)).toEqual([[2], [1]]);
  });

  test("are revoked by any notation of their address, at one source or all sources", async () => {
    for (const source of ["one", "two", "three"]) await authorise(source, "2001:db8::1");
    await authorise("one", "192.0.2.1");
    const revoked = { address: "2001:db8::1", ...times };
    expect(await call("DELETE", "/api/clients/2001:DB8:0::0:1?source=two")).toEqual([
      200,
      { status: "revoked", clients: [{ ...revoked, source: "two" }] },
    ]);
    const [code, response] = await call("DELETE", "/api/clients/2001%3Adb8%3A%3A1");
    expect(code).toBe(200);
    expect((response as { clients: unknown[] }).clients).toHaveLength(2);
    expect((await call("DELETE", "/api/clients/2001:db8::1"))[0]).toBe(404);
    expect((await call("DELETE", "/api/clients/::ffff:192.0.2.1"))[0]).toBe(200);
    expect(await readPages("/api/clients", 50)).toEqual([[]]);
  });
});
