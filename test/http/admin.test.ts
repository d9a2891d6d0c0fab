import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { delivery, keep } from "../store/sample.ts";
import { type AdminHarness, HOST, openAdmin, RELEASES, TOKEN } from "./admin-harness.ts";

let admin: AdminHarness;

beforeEach(async () => {
  admin = await openAdmin();
});

afterEach(() => admin.close());

/** Every route, with numbers and names of things that are there. */
const ROUTES = [
  ["GET", "/api/status"],
  ["GET", "/api/targets"],
  ["GET", "/api/targets/blog"],
  ["POST", "/api/targets/blog/deploy"],
  ["POST", "/api/targets/blog/rollback"],
  ["POST", "/api/targets/blog/lock"],
  ["POST", "/api/targets/blog/unlock"],
  ["GET", "/api/deployments"],
  ["GET", "/api/deployments/1"],
  ["GET", "/api/deployments/1/log"],
  ["POST", "/api/deployments/1/cancel"],
  ["GET", "/api/deliveries"],
  ["GET", "/api/deliveries/1"],
  ["POST", "/api/deliveries/1/replay"],
  ["GET", "/api/clients"],
  ["DELETE", "/api/clients/192.0.2.1"],
  ["GET", "/api/events"],
  ["GET", "/openapi.json"],
  ["GET", "/metrics"],
  ["GET", "/readyz"],
] as const;

/** A delivery with a deployment, a client and a lock. */
async function fill(): Promise<void> {
  await keep(
    admin.store,
    delivery({ decisions: [{ target: "blog", deploy: true, reason: null }], body: Buffer.from("{}") }),
  );
  await admin.store.authorise({
    source: "webhook",
    address: "192.0.2.1",
    authorisedAt: new Date("2026-11-21T20:00:00Z"),
    expiresAt: new Date("2026-11-22T20:00:00Z"),
  });
  await admin.ask("POST", "/api/targets/blog/lock", { body: { reason: "freeze" } });
}

/** Whatever would change something if it were let in. */
const bodyFor = (method: string, path: string) =>
  method !== "POST" ? {} : { body: path.endsWith("lock") ? { reason: "other" } : {} };

async function told(response: Response | Promise<Response>): Promise<unknown[]> {
  const { status, json } = await Promise.resolve(response).then(async (answer) => ({
    status: answer.status,
    json: await answer.json(),
  }));
  return [status, json];
}

describe("the admin listener", () => {
  test.each([...ROUTES])("answers 401 and does nothing to a stranger: %s %s", async (method, path) => {
    await fill();
    const before = await admin.kept();
    for (const authorization of ["", "Bearer", "Bearer wrong", `Bearer ${TOKEN}x`, `Basic ${TOKEN}`, TOKEN]) {
      const response = await admin.ask(method, path, {
        headers: { authorization },
        ...bodyFor(method, path),
      });
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
      expect(await response.json()).toMatchObject({ status: "not authorised" });
    }
    expect(await admin.kept()).toEqual(before);
    expect(admin.replayed).toEqual([]);
    expect(admin.log.join()).not.toContain(TOKEN);
  });

  test.each([...ROUTES])("answers 421 and does nothing under another name: %s %s", async (method, path) => {
    await fill();
    const before = await admin.kept();
    for (const host of ["evil.example", "evil.example:9001", "192.0.2.1:9001", ""]) {
      expect((await admin.ask(method, path, { headers: { host }, ...bodyFor(method, path) })).status).toBe(
        421,
      );
    }
    expect(await admin.kept()).toEqual(before);
    expect(admin.replayed).toEqual([]);
  });

  test.each([...ROUTES])("answers 405 and what is allowed to another method: %s %s", async (method, path) => {
    await fill();
    const before = await admin.kept();
    for (const other of ["PUT", "PATCH", "OPTIONS"]) {
      const response = await admin.ask(other, path, other === "OPTIONS" ? {} : { body: {} });
      expect([response.status, response.headers.get("allow")]).toEqual([
        405,
        method === "GET" ? "GET, HEAD" : method,
      ]);
    }
    expect(await admin.kept()).toEqual(before);
  });

  test.each([...ROUTES])(
    "lets nothing be kept and no other site read an answer: %s %s",
    async (method, path) => {
      await fill();
      for (const response of [
        await admin.ask(method, path, bodyFor(method, path)),
        await admin.ask(method, path, { headers: { origin: "https://evil.example", authorization: "" } }),
      ]) {
        expect(response.headers.get("cache-control")).toBe("no-store");
        expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
        await response.body?.cancel();
      }
    },
  );

  test("tells of wrong tokens in ten lines a second, however many come", async () => {
    const before = admin.log.length;
    for (let count = 0; count < 50; count++) {
      const response = await admin.ask("GET", "/api/status", { headers: { authorization: "Bearer wrong" } });
      expect(response.status).toBe(401);
    }
    expect(admin.log.slice(before).filter((line) => line.includes("wrong token"))).toHaveLength(10);
  });

  test("answers 404 to what there is not", async () => {
    await fill();
    const paths = [
      ...["/", "/api", "/API/status", "/api/status/", "//api/status", "/openapi", "/api/targets/nowhere"],
      ...["/api/targets/%zz", "/api/targets/..%2f..%2fetc", `/api/targets/${"x".repeat(300)}`],
      ...["/api/deployments/99", "/api/deployments/0", "/api/deployments/x", "/api/deployments/1e0"],
      ...["/api/deployments/-1", "/api/deployments/%zz", "/api/deployments/99999999999999999"],
      ...["/api/deployments/99/log", "/api/deliveries/99", "/api/deliveries/1.5", "/api/deliveries/%00"],
    ];
    for (const path of paths) expect([path, (await admin.ask("GET", path)).status]).toEqual([path, 404]);
    for (const act of ["deploy", "rollback", "unlock"]) {
      expect((await admin.ask("POST", `/api/targets/nowhere/${act}`)).status).toBe(404);
    }
    const lock = { body: { reason: "freeze" } };
    expect((await admin.ask("POST", "/api/targets/nowhere/lock", lock)).status).toBe(404);
    expect((await admin.ask("POST", "/api/deployments/99/cancel")).status).toBe(404);
    for (const address of ["192.0.2.2", "nobody", "%zz", "2001:db8::1%25eth0"]) {
      expect((await admin.ask("DELETE", `/api/clients/${address}`)).status).toBe(404);
    }
  });

  test("answers HEAD as GET without the body", async () => {
    await fill();
    for (const [, path] of ROUTES.filter(([method]) => method === "GET")) {
      const response = await admin.ask("HEAD", path);
      expect([path, response.status, await response.text()]).toEqual([path, 200, ""]);
    }
  });

  test("finds a target by its name percent-encoded", async () => {
    expect(await (await admin.ask("GET", "/api/targets/%62log")).json()).toMatchObject({ name: "blog" });
  });
});

describe("a body that the admin listener takes", () => {
  const path = "/api/targets/blog/lock";

  test("is JSON: 400 to anything else, and nothing is done", async () => {
    for (const body of ["{", "reason=freeze", "{'reason':1}", "\ufeff"]) {
      expect(await told(admin.ask("POST", path, { body }))).toEqual([
        400,
        { status: "invalid payload", reason: "the body is not JSON" },
      ]);
    }
    expect(await admin.store.listLocks()).toEqual([]);
  });

  test("has the right shape: 422 naming the field, never its value", async () => {
    const cases: [unknown, string][] = [
      [{}, "reason: expected a line of 1 to 500 characters"],
      [{ reason: "" }, "reason: expected a line of 1 to 500 characters"],
      [{ reason: "s3cr\net" }, "reason: expected a line of 1 to 500 characters"],
      [{ reason: ["s3cret"] }, "reason: expected a line of 1 to 500 characters"],
      [{ reason: "x", for: "s3cret" }, 'for: expected a duration such as "90s", "10m" or "24h"'],
      [{ reason: "x", until: "s3cret" }, "until: is not known here"],
      [[], "the body: expected a JSON object"],
      ["null", "the body: expected a JSON object"],
      ['"s3cret"', "the body: expected a JSON object"],
    ];
    for (const [body, reason] of cases) {
      expect(await told(admin.ask("POST", path, { body }))).toEqual([
        422,
        { status: "invalid request", reason },
      ]);
    }
    const deploy = (body: unknown) => told(admin.ask("POST", "/api/targets/blog/deploy", { body }));
    expect(await deploy({ commit: "main" })).toEqual([
      422,
      { status: "invalid request", reason: "commit: expected 7 to 64 hex digits of a commit" },
    ]);
    expect(await deploy({ comit: "0123456" })).toMatchObject([422, { reason: "comit: is not known here" }]);
    expect(await deploy({ force: "true" })).toMatchObject([422, { reason: "force: expected true or false" }]);
    expect(await admin.store.listLocks()).toEqual([]);
    expect((await admin.store.readStanding("blog", new Date())).last).toBeNull();
  });

  test("is application/json, unencoded: 415 to anything else, and nothing is done", async () => {
    for (const headers of [
      { "content-type": "text/plain" },
      { "content-type": "application/x-www-form-urlencoded" },
      { "content-type": "application/json", "content-encoding": "gzip" },
    ]) {
      expect((await admin.ask("POST", path, { body: { reason: "freeze" }, headers })).status).toBe(415);
    }
    expect(await admin.store.listLocks()).toEqual([]);
  });

  test("is at most 64 KiB: 413 to more, whether or not its length is told", async () => {
    const large = JSON.stringify({ reason: "x".repeat(70_000) });
    expect((await admin.ask("POST", path, { body: large })).status).toBe(413);
    const headers = {
      host: HOST,
      authorization: `Bearer ${TOKEN}`,
      "content-type": "application/json",
      "content-length": String(large.length),
    };
    const declared = new Request(`http://${HOST}${path}`, { method: "POST", headers, body: "{}" });
    expect((await admin.send(declared)).status).toBe(413);
    expect(await admin.store.listLocks()).toEqual([]);
  });

  test("may be left out", async () => {
    for (const headers of [{}, { "content-type": "text/plain" }]) {
      expect((await admin.ask("POST", "/api/targets/blog/deploy", { headers })).status).toBe(202);
    }
  });
});

describe("a query that the admin listener takes", () => {
  const cases: [string, string][] = [
    ["limit=0", "limit: expected a whole number from 1 to 500"],
    ["limit=501", "limit: expected a whole number from 1 to 500"],
    ["limit=1e2", "limit: expected a whole number from 1 to 500"],
    ["limit=", "limit: expected a whole number from 1 to 500"],
    ["limit=%zz", "limit: expected a whole number from 1 to 500"],
    ["before=-1", "before: expected a whole number from 1"],
    ["before=0x10", "before: expected a whole number from 1"],
    ["before=99999999999999999999", "before: expected a whole number from 1"],
    ["colour=red", "colour: is not known here"],
    ["__proto__=1", "__proto__: is not known here"],
  ];

  test.each(cases)("is refused naming the parameter: ?%s", async (query, reason) => {
    for (const list of ["deployments", "deliveries", "clients"]) {
      expect(await told(admin.ask("GET", `/api/${list}?${query}`))).toEqual([
        422,
        { status: "invalid request", reason },
      ]);
    }
  });

  test("has no parameter that its route does not know, and nothing is done", async () => {
    await fill();
    const before = await admin.kept();
    for (const [method, path] of ROUTES.filter(([, path]) => path.startsWith("/api"))) {
      const answer = await told(admin.ask(method, `${path}?force=true`, bodyFor(method, path)));
      expect([path, ...answer]).toMatchObject([path, 422, { reason: "force: is not known here" }]);
    }
    expect(await admin.kept()).toEqual(before);
    expect(admin.replayed).toEqual([]);
  });

  test("knows the states and the status words", async () => {
    for (const state of ["queued", "running", "succeeded", "superseded", "interrupted"]) {
      expect((await admin.ask("GET", `/api/deployments?state=${state}`)).status).toBe(200);
    }
    expect(await told(admin.ask("GET", "/api/deployments?state=done"))).toMatchObject([
      422,
      { reason: expect.stringMatching(/^state: expected one of queued, running/) },
    ]);
    expect(await told(admin.ask("GET", "/api/deliveries?status=failed"))).toMatchObject([
      422,
      { reason: "status: expected one of pong, ok, skipped, success" },
    ]);
  });
});

describe("a fault of ours", () => {
  test("is answered 500 with an id that the log has, when an answer does not fit its schema", async () => {
    const secret = "what nobody may read";
    const broken = await openAdmin({ releasesOf: async () => [...RELEASES, { secret } as never] });
    const response = await broken.ask("GET", "/api/targets/blog");
    expect(response.status).toBe(500);
    const { status, id } = (await response.json()) as { status: string; id: string };
    expect(status).toBe("internal error");
    expect(broken.log.join("\n")).toContain(id);
    expect(broken.log.join("\n")).not.toContain(secret);
    await broken.close();
  });

  test("is answered 500 without its text, when something breaks", async () => {
    const broken = await openAdmin({
      releasesOf: () => Promise.reject(new Error("a path of the machine")),
    });
    const response = await broken.ask("GET", "/api/targets/blog");
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("a path");
    await broken.close();
  });
});

describe("the description", () => {
  test("names every route with its answers", async () => {
    const { openapi, info, paths } = (await (await admin.ask("GET", "/openapi.json")).json()) as {
      openapi: string;
      info: { title: string; version: string };
      paths: Record<string, Record<string, { summary?: string; responses?: Record<string, unknown> }>>;
    };
    expect([openapi, info.title, info.version]).toEqual(["3.1.2", "hooklatch", "1.2.3"]);
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const expected = ROUTES.map(([method, path]) =>
      `${method} ${path}`
        .replace(/\/(?:1|blog)(?=\/|$)/, (_, at: number, whole: string) =>
          whole.slice(0, at).endsWith("targets") ? "/{name}" : "/{id}",
        )
        .replace("192.0.2.1", "{address}"),
    );
    expect(described.sort()).toEqual(expected.sort());
    for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods))) {
      expect(operation.summary).toBeString();
      const codes = Object.keys(operation.responses ?? {});
      expect(codes).toEqual(expect.arrayContaining(["401", "421", "422", "500"]));
      expect(codes[0]).toMatch(/^20[02]$/);
      for (const answer of Object.values(operation.responses ?? {})) {
        expect(answer).toMatchObject({ description: expect.any(String), content: expect.any(Object) });
      }
    }
  });
});
