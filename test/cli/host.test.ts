import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  AdminServer,
  deploymentJson,
  errorResponse,
  hostJson,
  LATER,
  logStream,
  page,
  queuedJson,
  statusJson,
  targetJson,
} from "./admin-server.ts";
import { runHooklatch } from "./command-line.ts";

let server: AdminServer;

beforeEach(() => {
  server = new AdminServer();
});

afterEach(() => server.close());

function hooklatch(line: string) {
  return runHooklatch(`${line} --admin-url ${server.url}`, { cwd: "/", env: server.env, clock: LATER });
}

const HOSTS = [
  { name: "web-1", state: "up", draining: false },
  { name: "web-2", state: "away", draining: false },
];

/** What a target is doing on a host. */
function onHost(host: string, overrides: Readonly<Record<string, unknown>> = {}) {
  const { live, queued, running, last } = targetJson();
  const status = { live, queued, running, last, releases: ["20261121T203000Z-0123456789ab"] };
  return { host, state: "up", draining: false, ...status, ...overrides };
}

describe("hooklatch host", () => {
  test("lists the hosts with their state and deployments", async () => {
    server.respondWith({
      "GET /api/hosts": page(
        hostJson({ running: [12], queued: [13, 14, 15, 16, 17] }),
        hostJson({ name: "web-2", state: "away", targets: [] }),
        hostJson({ name: "web-3", draining: true }),
      ),
    });
    const { exitCode, stdout } = await hooklatch("host list");
    expect([exitCode, stdout]).toMatchSnapshot();
    for (const fact of ["#13, #14, #15, 2 more", "away", "up, drained"]) expect(stdout).toContain(fact);
  });

  test("says where there is only one", async () => {
    server.respondWith({ "GET /api/hosts": page() });
    const { exitCode, stdout, stderr } = await hooklatch("host list");
    expect([exitCode, stdout]).toEqual([0, ""]);
    expect(stderr).toContain("[store] url");
  });

  test("shows a host with its targets, drains, resumes and forgets it", async () => {
    server.respondWith({
      "GET /api/hosts/web-1": Response.json(hostJson()),
      "POST /api/hosts/web-1/drain": Response.json(hostJson({ draining: true, running: [12] })),
      "POST /api/hosts/web-1/undrain": Response.json(hostJson()),
      "DELETE /api/hosts/web-1": Response.json({ status: "forgotten", cancelled: [13, 14] }),
    });
    const outputs = [];
    for (const act of ["show", "drain", "undrain", "forget"])
      outputs.push((await hooklatch(`host ${act} web-1`)).stdout);
    expect(outputs).toMatchSnapshot();
    expect(outputs[1]).toContain("deployment 12");
    expect(outputs[3]).toContain("deployments 13, 14");
    expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "GET /api/hosts/web-1",
      "POST /api/hosts/web-1/drain",
      "POST /api/hosts/web-1/undrain",
      "DELETE /api/hosts/web-1",
    ]);
  });

  test("names the nearest host for an unknown one, and says why one that is up stays", async () => {
    server.respondWith({
      "GET /api/status": Response.json(statusJson({ hosts: HOSTS })),
      "DELETE /api/hosts/web-1": errorResponse(409, "up", "the host is up"),
    });
    const unknown = await hooklatch("host drain wbe-1");
    expect([unknown.exitCode, unknown.stdout]).toEqual([1, ""]);
    expect(unknown.stderr).toContain("did you mean web-1?");
    const up = await hooklatch("host forget web-1");
    expect([up.exitCode, up.stdout]).toEqual([1, ""]);
    expect(up.stderr).toContain("stop its server");
  });
});

describe("with several hosts", () => {
  test("target list has a row for each host, and target show a table of them", async () => {
    const away = onHost("web-2", { state: "away", live: null, queued: 13, last: null });
    const target = targetJson({ hosts: [onHost("web-1"), away] });
    server.respondWith({
      "GET /api/targets": page(target, targetJson({ name: "docs", hosts: [] })),
      "GET /api/targets/blog": Response.json({ ...target, releases: [] }),
    });
    const { stdout } = await hooklatch("target list");
    expect(stdout).toMatchSnapshot();
    expect(stdout.split("\n").map((line) => line.split(/ +/).slice(0, 2).join(" "))).toEqual([
      "NAME HOST",
      "blog web-1",
      "blog web-2",
      "docs -",
      "",
    ]);
    const limited = await hooklatch("target list --host web-2");
    expect(limited.stdout.split("\n").map((line) => line.split(/ +/).slice(0, 2).join(" "))).toEqual([
      "NAME HOST",
      "blog web-2",
      "docs -",
      "",
    ]);
    expect(server.requests[1]?.path).toBe("/api/targets?host=web-2&limit=500");
    expect((await hooklatch("target show blog")).stdout).toMatchSnapshot();
  });

  test("deployment list and show name the host, and status lists all", async () => {
    const waiting = "deployment 12 on host web-1 has to succeed first";
    const second = { id: 13, host: "web-2", waits_for: 12, state: "queued", reason: waiting, ended_at: null };
    server.respondWith({
      "GET /api/status": Response.json(statusJson({ hosts: HOSTS })),
      "GET /api/deployments": page(deploymentJson(second), deploymentJson()),
      "GET /api/deployments/13": Response.json(deploymentJson(second)),
    });
    const list = await hooklatch("deployment list --host web-1");
    expect(list.stdout).toMatchSnapshot();
    expect(list.stdout).toContain(waiting);
    expect(server.requests[0]?.path).toBe("/api/deployments?host=web-1");
    expect((await hooklatch("deployment show 13")).stdout).toMatchSnapshot();
    expect((await hooklatch("status")).stdout).toMatch(/^host +web-1: up \(this one\)\nhost +web-2: away$/m);
  });

  test("target deploy names the deployment on each host, and follows all of them", async () => {
    const log = (state: string) => () => logStream(["built"], { end: { state, code: null, reason: null } });
    server.respondWith({
      "POST /api/targets/blog/deploy": () => Response.json(queuedJson("web-1", "web-2"), { status: 202 }),
      "GET /api/deployments/12": Response.json(deploymentJson()),
      "GET /api/deployments/13": () =>
        Response.json(deploymentJson({ id: 13, state: "queued", reason: "host web-2 is drained" })),
      "GET /api/deployments/12/log": log("failed"),
      "GET /api/deployments/13/log": log("succeeded"),
    });
    const queued = await hooklatch("target deploy blog");
    expect(queued.stdout).toMatchSnapshot();
    for (const fact of ["12 on web-1", "13 on web-2"]) expect(queued.stdout).toContain(fact);
    const followed = await hooklatch("target deploy blog --follow");
    expect([followed.exitCode, followed.stdout]).toEqual([1, "built\nbuilt\n"]);
    expect(followed.stderr).toMatchSnapshot();
  });
});
