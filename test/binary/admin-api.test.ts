import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { hostname } from "node:os";
import { join } from "node:path";
import { SECRET } from "../support/configuration.ts";
import { deliver } from "../support/github.ts";
import { pingBody } from "../support/payloads.ts";
import { ADMIN_TOKEN, ServedSite } from "../support/served-site.ts";
import { isPossible, SmallDisk } from "../support/small-disk.ts";

setDefaultTimeout(120_000);

let site: ServedSite;

beforeEach(() => {
  site = new ServedSite();
});

afterEach(() => site.dispose());

/** RFC 3339 in UTC. */
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/);
const COMMIT = expect.stringMatching(/^[0-9a-f]{40}$/);
const NUMBER = expect.any(Number);

const LISTS = ["targets", "deployments", "deliveries", "refusals", "clients"].map((name) => `/api/${name}`);
const PATHS = [
  ...LISTS,
  "/api/status",
  "/api/events",
  "/openapi.json",
  "/metrics",
  "/readyz",
  "/api/targets/blog",
];

describe("the admin listener", () => {
  test("accepts localhost and IP addresses as the host, and rejects other names", async () => {
    const file = site.configure();
    const text = await Bun.file(file).text();
    await Bun.write(file, text.replace("[admin]", '[admin]\nhost = "0.0.0.0"'));
    await site.start();
    expect(await site.run("client", "list")).toMatchObject({ exitCode: 0 });
    const ask = async (host: string) => (await site.open("/api/status", { headers: { host } })).status;
    expect(await Promise.all(["localhost:8001", "192.0.2.7", "evil.example"].map(ask))).toEqual([
      200, 200, 421,
    ]);
  });

  test("returns each object in the documented shape", async () => {
    await site.start({ target: `run = ["true"]` });
    const first = await site.deploy({ "index.html": "first\n" });
    const second = await site.deploy({ "index.html": "second\n" });
    await site.ask("POST", "/api/targets/blog/lock", { reason: "freeze", by: "ada", for: "2h" });
    await site.push({ ref: "refs/heads/dev" });

    const deployment = {
      id: 2,
      target: "blog",
      host: hostname(),
      waits_for: null,
      state: "succeeded",
      code: null,
      reason: null,
      trigger: "push",
      attempt: 1,
      retry_of: null,
      retried_as: null,
      superseded_by: null,
      delivery: 2,
      pushed_commit: second,
      chosen: null,
      branch: "main",
      commit: second,
      subject: "A change",
      author: "Ada",
      commit_url: null,
      previous_commit: first,
      release: site.current,
      created_at: TIME,
      started_at: TIME,
      ended_at: TIME,
      steps: [{ command: "true", exit_code: 0, signal: null, milliseconds: NUMBER }],
    };
    expect((await site.ask("GET", "/api/deployments/2")).body).toEqual(deployment);
    const deployments = await site.ask<unknown>("GET", "/api/deployments");
    expect(deployments.body).toEqual({
      items: [deployment, expect.objectContaining({ id: 1, previous_commit: null })],
      next: null,
    });

    const delivery = {
      id: 3,
      source: "github",
      event: "push",
      event_name: "push",
      action: null,
      status: "skipped",
      reason: expect.stringMatching(/^blog: .*"dev".*"main"/),
      received_at: TIME,
      client: "127.0.0.1",
      provider_id: expect.any(String),
      redelivery_of: null,
      replay_of: null,
      headers: {
        "content-type": "application/json",
        "user-agent": expect.any(String),
        "x-github-event": "push",
        "x-github-delivery": expect.any(String),
        "x-github-hook-id": expect.any(String),
      },
      decisions: [
        { target: "blog", deploy: false, code: "branch", reason: expect.stringMatching(/"dev".*"main"/) },
      ],
      other_targets: 0,
      deployments: [],
      outcomes: [],
    };
    const body = expect.stringContaining("refs/heads/dev");
    const pushes = [{ repository: "octocat/blog", ref: "refs/heads/dev", commit: second }];
    const shown = await site.readDelivery(3);
    expect(shown).toEqual({ ...delivery, pushes, ci: null, body });
    expect([shown.reason, shown.decisions[0]?.reason]).toMatchSnapshot();
    expect((await site.run("delivery", "show", "3")).stdout).toContain(
      `octocat/blog refs/heads/dev ${second}\n`,
    );
    const deliveries = await site.ask<unknown>("GET", "/api/deliveries?limit=1");
    expect(deliveries.body).toEqual({ items: [delivery], next: 3 });

    const target = {
      name: "blog",
      source: "github",
      repository: "octocat/blog",
      branch: "main",
      tag: null,
      wait_for_ci: null,
      directory: site.path(),
      layout: "releases",
      live: {
        ...{ commit: second, release: site.current, since: TIME },
        ...{ deployment: 2, subject: "A change", author: "Ada", commit_url: null },
      },
      locked: { reason: "freeze", by: "ada", since: TIME, until: TIME },
      queued: null,
      running: null,
      last: { id: 2, state: "succeeded", code: null, reason: null, ended_at: TIME },
      hosts: null,
    };
    expect((await site.ask<unknown>("GET", "/api/targets")).body).toEqual({ items: [target], next: null });
    const { releases, ...shownTarget } = await site.readTarget();
    expect<unknown>(shownTarget).toEqual(target);
    expect(releases).toHaveLength(2);
    expect(releases?.[0]).toBe(site.current);
    expect((await site.ask<unknown>("GET", "/api/status")).body).toEqual({
      status: "ok",
      version: expect.any(String),
      started_at: TIME,
      public_url: null,
      sources: [{ name: "github", provider: "github", path: "/github-webhook" }],
      host: hostname(),
      hosts: null,
      targets: 1,
      queued: 0,
      running: 0,
      store_bytes: NUMBER,
      certificate_expires_at: null,
      disks: [
        {
          path: expect.stringContaining("/data"),
          free_bytes: expect.any(Number),
          total_bytes: expect.any(Number),
        },
      ],
    });
    expect(deployment.commit).toEqual(COMMIT);
  });

  test("lists the newest items first, with pages and filters, and rejects invalid filters", async () => {
    await site.start({});
    for (let number = 0; number < 5; number++) await site.deploy({ "index.html": `${number}\n` });
    for (const ref of ["refs/heads/a", "refs/heads/b"]) await site.push({ ref });
    type Page = { items: { id: number }[]; next: number | null };
    const idsOf = async (path: string) => {
      const { body } = await site.ask<Page>("GET", path);
      return [body.items.map(({ id }) => id), body.next];
    };
    expect(await idsOf("/api/deployments?limit=2")).toEqual([[5, 4], 4]);
    expect(await idsOf("/api/deployments?limit=2&before=4")).toEqual([[3, 2], 2]);
    expect(await idsOf("/api/deployments?limit=2&before=2")).toEqual([[1], null]);
    expect(await idsOf("/api/deployments?state=failed")).toEqual([[], null]);
    expect(await idsOf("/api/deployments?target=blog&state=succeeded&limit=1")).toEqual([[5], 5]);
    expect(await idsOf("/api/deliveries?status=skipped")).toEqual([[7, 6], null]);
    expect(await idsOf("/api/deliveries?target=blog&limit=3")).toEqual([[7, 6, 5], 5]);
    expect(await idsOf("/api/deliveries?target=blog&status=ok&limit=3")).toEqual([[5, 4, 3], 3]);
    expect(await idsOf("/api/deliveries?source=unknown")).toEqual([[], null]);
    for (const query of [
      "limit=0",
      "limit=501",
      "limit=x",
      "before=-1",
      "before=0",
      "state=gone",
      "colour=red",
    ]) {
      const { code, body } = await site.ask<{ status: string; reason: string }>(
        "GET",
        `/api/deployments?${query}`,
      );
      expect([query, code, body.status]).toEqual([query, 422, "invalid request"]);
      expect(body.reason).toStartWith(query.split("=")[0] ?? "");
    }
  });

  test.each(PATHS)(
    "protects %s: it requires the token and rejects foreign hosts and other origins",
    async (path) => {
      await site.start({});
      for (const authorization of [
        "",
        "Bearer",
        "Bearer wrong",
        `Basic ${btoa(`x:${ADMIN_TOKEN}`)}`,
        `Bearer ${ADMIN_TOKEN} `.repeat(2),
      ]) {
        const rejected = await site.open(path, { headers: { authorization } });
        expect([rejected.status, rejected.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
        await rejected.body?.cancel();
      }
      for (const host of ["evil.example", "192.0.2.7", "localhost.evil.example:1"]) {
        const { status } = await site.open(path, { headers: { host } });
        expect([host, status]).toEqual([host, 421]);
      }
      const origin = "https://evil.example";
      const crossOrigin = await site.open(path, { method: "HEAD", headers: { origin } });
      const cors = [...crossOrigin.headers.keys()].filter((name) => name.startsWith("access-control"));
      expect([crossOrigin.status, cors]).toEqual([200, []]);
      const preflight = await site.open(path, {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": "POST" },
      });
      expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([405, null]);
      // The public listener does not serve these paths.
      expect((await fetch(new URL(path, site.server.url))).status).toBe(404);
    },
  );

  test("accepts a token that contains spaces", async () => {
    expect(ADMIN_TOKEN).toContain(" ");
    await site.start({});
    for (const scheme of ["Bearer", "bearer", "BEARER  "]) {
      const { status } = await site.open("/api/status", {
        headers: { authorization: `${scheme} ${ADMIN_TOKEN}` },
      });
      expect(status).toBe(200);
    }
  });

  test("does not serve the paths of the public listener", async () => {
    await site.start({});
    expect((await fetch(new URL("/healthz", site.server.url))).status).toBe(200);
    expect((await site.open("/healthz")).status).toBe(404);
    expect((await site.open("/github-webhook", { method: "POST" })).status).toBe(404);
  });

  test("describes each of its paths in OpenAPI", async () => {
    await site.start({});
    const { body } = await site.ask<{ openapi: string; paths: Record<string, object> }>(
      "GET",
      "/openapi.json",
    );
    expect(body.openapi).toStartWith("3.");
    const routes = Object.entries(body.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(routes.sort()).toEqual(
      [
        "DELETE /api/clients/{address}",
        "GET /api/clients",
        "GET /api/deliveries",
        "GET /api/deliveries/{id}",
        "GET /api/deployments",
        "GET /api/deployments/{id}",
        "GET /api/deployments/{id}/log",
        "GET /api/events",
        "GET /api/hosts",
        "GET /api/hosts/{name}",
        "POST /api/hosts/{name}/drain",
        "POST /api/hosts/{name}/undrain",
        "DELETE /api/hosts/{name}",
        "GET /api/refusals",
        "GET /api/status",
        "GET /api/targets",
        "GET /api/targets/{name}",
        "GET /metrics",
        "GET /openapi.json",
        "GET /readyz",
        "POST /api/deliveries/{id}/replay",
        "POST /api/deployments/{id}/cancel",
        "POST /api/reload",
        "POST /api/targets/{name}/deploy",
        "POST /api/targets/{name}/lock",
        "POST /api/targets/{name}/rollback",
        "POST /api/targets/{name}/unlock",
      ].sort(),
    );
    expect(JSON.stringify(body)).not.toContain(ADMIN_TOKEN);
  });

  test("counts deliveries and deployments in its metrics", async () => {
    await site.start({ target: `run = ["test ! -e broken"]` });
    await site.deploy({ "index.html": "first\n" });
    await site.deploy({ broken: "" });
    await site.push({ ref: "refs/heads/dev" });
    await deliver(new URL("/github-webhook", site.server.url), "ping", pingBody(), { secret: SECRET });
    await deliver(new URL("/github-webhook", site.server.url), "ping", pingBody(), { secret: "a wrong one" });
    await site.ask("POST", "/api/targets/blog/lock", { reason: "x" });
    const text = await (await site.open("/metrics")).text();
    const lines = text.split("\n");
    for (const line of [
      'hooklatch_deliveries_total{source="github",status="ok"} 2',
      'hooklatch_deliveries_total{source="github",status="skipped"} 1',
      'hooklatch_deliveries_total{source="github",status="pong"} 1',
      'hooklatch_deliveries_total{source="github",status="signature verification failed"} 1',
      'hooklatch_deployments_total{target="blog",state="succeeded"} 1',
      'hooklatch_deployments_total{target="blog",state="failed",code="step_failed"} 1',
      'hooklatch_refusals_total{source="github",code="signature_mismatch"} 1',
      'hooklatch_deployment_duration_seconds_count{target="blog"} 2',
      'hooklatch_target_locked{target="blog"} 1',
      "hooklatch_deployments_queued 0",
      "hooklatch_deployments_running 0",
    ]) {
      expect(lines).toContain(line);
    }
    expect(text).toMatch(/^hooklatch_store_bytes [1-9]/m);
    expect(text).toMatch(/^process_/m);
  });

  test("reports not ready while the server stops, and can still cancel the running deployment", async () => {
    await site.start({ target: `run = ["echo started; sleep 600"]` });
    expect(await site.ask<unknown>("GET", "/readyz")).toEqual({ code: 200, body: { status: "ok" } });
    site.repository.commit({ "index.html": "first\n" });
    await site.push();
    await site.untilPrinted(1, "started");
    const ended = site.server.end("SIGTERM");
    while ((await site.ask("GET", "/readyz")).code === 200) await Bun.sleep(10);
    const unavailable = { code: 503, body: { status: "unavailable" } };
    expect(await site.ask<unknown>("GET", "/readyz")).toEqual(unavailable);
    expect((await site.ask("GET", "/api/status")).body).toMatchObject({ status: "stopping", running: 1 });
    const health = await fetch(new URL("/healthz", site.server.url));
    expect([health.status, health.headers.has("retry-after")]).toEqual([503, true]);
    expect(await site.push({ forced: true })).toMatchObject(unavailable);
    expect(await site.run("deployment", "cancel", "1", "--by", "ada")).toMatchObject({ exitCode: 0 });
    expect(await ended).toBe(0);
    expect(site.server.log.find(({ state }) => state === "cancelled")).toMatchObject({ deployment: 1 });
  });

  test.skipIf(!isPossible.small)(
    "reports not ready while the disk is full, and ready when there is space again",
    async () => {
      const disk = new SmallDisk(8);
      try {
        await site.start({ dataDir: join(disk.path, "data") });
        disk.fill();
        expect(await site.ask<unknown>("GET", "/readyz")).toEqual({
          code: 503,
          body: { status: "unavailable" },
        });
        const { body } = await site.ask<{ status: string }>("POST", "/api/targets/blog/lock", {
          reason: "x",
        });
        expect(["unavailable", "locked"]).toContain(body.status);
        expect((await site.readTarget()).locked !== null).toBe(body.status === "locked");
        disk.free();
        expect(await site.ask<unknown>("GET", "/readyz")).toEqual({ code: 200, body: { status: "ok" } });
      } finally {
        await site.server.end("SIGKILL");
        disk.unmount();
      }
    },
  );
});
