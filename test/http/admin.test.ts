import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { DECISION_CODES, RESULT_CODES } from "../../src/domain/codes.ts";
import { delivery, keep } from "../store/sample.ts";
import { type AdminHarness, HOST, openAdmin, RELEASES, TOKEN } from "./admin-harness.ts";
import { fieldsOf, messagesOf } from "./log-lines.ts";

let admin: AdminHarness;

beforeEach(async () => {
  admin = await openAdmin();
});

afterEach(() => admin.close());

/** Every route, with the ids and names that {@link fill} creates. */
const ROUTES = [
  ["GET", "/api/status"],
  ["GET", "/api/hosts"],
  ["GET", "/api/hosts/blog"],
  ["POST", "/api/hosts/blog/drain"],
  ["POST", "/api/hosts/blog/undrain"],
  ["DELETE", "/api/hosts/blog"],
  ["GET", "/api/targets"],
  ["GET", "/api/targets/blog"],
  ["POST", "/api/reload"],
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
  ["GET", "/api/refusals"],
  ["GET", "/api/clients"],
  ["DELETE", "/api/clients/192.0.2.1"],
  ["GET", "/api/events"],
  ["GET", "/openapi.json"],
  ["GET", "/metrics"],
  ["GET", "/readyz"],
] as const;

/** Creates a delivery with a deployment, a client and a lock. */
async function fill(): Promise<void> {
  await keep(
    admin.store,
    delivery({
      decisions: [{ target: "blog", deploy: true, code: null, reason: null }],
      body: Buffer.from("{}"),
    }),
  );
  await admin.store.authorise({
    source: "webhook",
    address: "192.0.2.1",
    authorisedAt: new Date("2026-11-21T20:00:00Z"),
    expiresAt: new Date("2026-11-22T20:00:00Z"),
  });
  await admin.request("POST", "/api/targets/blog/lock", { body: { reason: "freeze" } });
}

/** Returns a body with which an authorised request changes the store. */
const bodyFor = (method: string, path: string) =>
  method !== "POST" ? {} : { body: path.endsWith("lock") ? { reason: "other" } : {} };

/** Returns the code and the JSON body of a response. */
async function readResponse(pending: Promise<Response>): Promise<[code: number, json: unknown]> {
  const response = await pending;
  return [response.status, await response.json()];
}

/** Asserts the code and the status word of an error response without other keys, and returns its reason. */
async function reasonOf(pending: Promise<Response>, code: number, status: string): Promise<string> {
  const [actual, json] = await readResponse(pending);
  expect([actual, json]).toEqual([code, { status, reason: expect.any(String) }]);
  return (json as { reason: string }).reason;
}

/** Matches a reason that begins with the name of a field or a parameter. */
const beginsWith = (name: string) => new RegExp(`^\\W?${name}\\b`);

describe("admin listener", () => {
  test.each([...ROUTES])(
    "returns 401 and changes nothing without a valid token: %s %s",
    async (method, path) => {
      await fill();
      const before = await admin.readStore();
      for (const authorization of [
        "",
        "Bearer",
        "Bearer wrong",
        `Bearer ${TOKEN}x`,
        `Basic ${TOKEN}`,
        TOKEN,
      ]) {
        const response = await admin.request(method, path, {
          headers: { authorization },
          ...bodyFor(method, path),
        });
        expect(response.status).toBe(401);
        expect(response.headers.get("www-authenticate")).toBe("Bearer");
        expect(await response.json()).toMatchObject({ status: "not authorised" });
      }
      expect(await admin.readStore()).toEqual(before);
      expect(admin.replayed).toEqual([]);
      expect(admin.log.join()).not.toContain(TOKEN);
    },
  );

  test("accepts a Host that [admin] hosts names", async () => {
    const { status } = await admin.request("GET", "/api/status", {
      headers: { host: "hooklatch.internal:9001" },
    });
    expect(status).toBe(200);
  });

  test.each([...ROUTES])("returns 421 and changes nothing for another Host: %s %s", async (method, path) => {
    await fill();
    const before = await admin.readStore();
    for (const host of ["evil.example", "evil.example:9001", "192.0.2.1:9001", ""]) {
      expect(
        (await admin.request(method, path, { headers: { host }, ...bodyFor(method, path) })).status,
      ).toBe(421);
    }
    expect(await admin.readStore()).toEqual(before);
    expect(admin.replayed).toEqual([]);
  });

  test.each([...ROUTES])("returns 405 with Allow for other methods: %s %s", async (_method, path) => {
    await fill();
    const before = await admin.readStore();
    const allowed = ROUTES.filter(([, each]) => each === path).map(([method]) =>
      method === "GET" ? "GET, HEAD" : method,
    );
    for (const other of ["PUT", "PATCH", "OPTIONS"]) {
      const response = await admin.request(other, path, other === "OPTIONS" ? {} : { body: {} });
      expect([response.status, response.headers.get("allow")]).toEqual([405, allowed.join(", ")]);
    }
    expect(await admin.readStore()).toEqual(before);
  });

  test.each([...ROUTES])("forbids caching and cross-origin access: %s %s", async (method, path) => {
    await fill();
    for (const response of [
      await admin.request(method, path, bodyFor(method, path)),
      await admin.request(method, path, { headers: { origin: "https://evil.example", authorization: "" } }),
    ]) {
      expect(response.headers.get("cache-control")).toBe("no-store");
      expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
      await response.body?.cancel();
    }
  });

  test("logs at most ten wrong tokens per second", async () => {
    const before = admin.log.length;
    for (let count = 0; count < 50; count++) {
      const response = await admin.request("GET", "/api/status", {
        headers: { authorization: "Bearer wrong" },
      });
      expect(response.status).toBe(401);
    }
    const lines = admin.log.slice(before);
    const messages = messagesOf(lines);
    expect(lines.map(fieldsOf)).toContainEqual({ code: "token_mismatch" });
    expect(messages).toHaveLength(10);
    expect([...new Set(messages)]).toMatchSnapshot();
  });

  test("returns 404 for unknown paths, names and ids", async () => {
    await fill();
    const paths = [
      ...[
        "/index.html",
        "/api",
        "/API/status",
        "/api/status/",
        "//api/status",
        "/openapi",
        "/api/targets/nowhere",
      ],
      ...["/api/targets/%zz", "/api/targets/..%2f..%2fetc", `/api/targets/${"x".repeat(300)}`],
      ...["/api/deployments/99", "/api/deployments/0", "/api/deployments/x", "/api/deployments/1e0"],
      ...["/api/deployments/-1", "/api/deployments/%zz", "/api/deployments/99999999999999999"],
      ...["/api/deployments/99/log", "/api/deliveries/99", "/api/deliveries/1.5", "/api/deliveries/%00"],
    ];
    for (const path of paths) expect([path, (await admin.request("GET", path)).status]).toEqual([path, 404]);
    for (const action of ["deploy", "rollback", "unlock"]) {
      expect((await admin.request("POST", `/api/targets/nowhere/${action}`)).status).toBe(404);
    }
    const lock = { body: { reason: "freeze" } };
    expect((await admin.request("POST", "/api/targets/nowhere/lock", lock)).status).toBe(404);
    expect((await admin.request("POST", "/api/deployments/99/cancel")).status).toBe(404);
    for (const address of ["192.0.2.2", "unknown", "%zz", "2001:db8::1%25eth0"]) {
      expect((await admin.request("DELETE", `/api/clients/${address}`)).status).toBe(404);
    }
  });

  test("responds to HEAD as to GET, without a body", async () => {
    await fill();
    for (const [, path] of ROUTES.filter(([method]) => method === "GET")) {
      const response = await admin.request("HEAD", path);
      // The store has one host.
      const code = path === "/api/hosts/blog" ? 409 : 200;
      expect([path, response.status, await response.text()]).toEqual([path, code, ""]);
    }
  });

  test("accepts a percent-encoded target name", async () => {
    expect(await (await admin.request("GET", "/api/targets/%62log")).json()).toMatchObject({ name: "blog" });
  });
});

describe("admin listener > request body", () => {
  const path = "/api/targets/blog/lock";

  test("returns 400 and changes nothing when it is not JSON", async () => {
    const reasons = new Set<string>();
    for (const body of ["{", "reason=freeze", "{'reason':1}", "\ufeff"]) {
      reasons.add(await reasonOf(admin.request("POST", path, { body }), 400, "invalid payload"));
    }
    expect([...reasons]).toMatchSnapshot();
    expect(await admin.store.listLocks()).toEqual([]);
  });

  test("returns 422 with the name of an invalid field and without its value", async () => {
    const deploy = "/api/targets/blog/deploy";
    const cases: [route: string, body: unknown, field: string | null][] = [
      [path, {}, "reason"],
      [path, { reason: "" }, "reason"],
      [path, { reason: "s3cr\net" }, "reason"],
      [path, { reason: ["s3cret"] }, "reason"],
      [path, { reason: "x", for: "s3cret" }, "for"],
      [path, { reason: "x", until: "s3cret" }, "until"],
      [path, [], null],
      [path, "null", null],
      [path, '"s3cret"', null],
      [deploy, { commit: "main" }, "commit"],
      [deploy, { comit: "0123456" }, "comit"],
      [deploy, { force: "true" }, "force"],
    ];
    const reasons: string[] = [];
    for (const [route, body, field] of cases) {
      const reason = await reasonOf(admin.request("POST", route, { body }), 422, "invalid request");
      if (field !== null) expect(reason).toMatch(beginsWith(field));
      expect(reason).not.toMatch(/s3cr|main|0123456/);
      reasons.push(reason);
    }
    expect(reasons).toMatchSnapshot();
    expect(await admin.store.listLocks()).toEqual([]);
    expect((await admin.store.readTargetStatus("blog", new Date())).latest).toBeNull();
  });

  test("returns 415 and changes nothing when it is not plain application/json", async () => {
    for (const headers of [
      { "content-type": "text/plain" },
      { "content-type": "application/x-www-form-urlencoded" },
      { "content-type": "application/json", "content-encoding": "gzip" },
    ]) {
      expect((await admin.request("POST", path, { body: { reason: "freeze" }, headers })).status).toBe(415);
    }
    expect(await admin.store.listLocks()).toEqual([]);
  });

  test("returns 413 and changes nothing when it exceeds 64 KiB, with and without a Content-Length", async () => {
    const large = JSON.stringify({ reason: "x".repeat(70_000) });
    expect((await admin.request("POST", path, { body: large })).status).toBe(413);
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

  test("is optional for a deploy", async () => {
    for (const headers of [{}, { "content-type": "text/plain" }]) {
      expect((await admin.request("POST", "/api/targets/blog/deploy", { headers })).status).toBe(202);
    }
  });
});

describe("admin listener > query", () => {
  const cases: [query: string, parameter: string][] = [
    ["limit=0", "limit"],
    ["limit=501", "limit"],
    ["limit=1e2", "limit"],
    ["limit=", "limit"],
    ["limit=%zz", "limit"],
    ["before=-1", "before"],
    ["before=0x10", "before"],
    ["before=99999999999999999999", "before"],
    ["colour=red", "colour"],
    ["__proto__=1", "__proto__"],
    ["source=a%00b", "source"],
  ];

  test.each(cases)("returns 422 with the name of the parameter: ?%s", async (query, parameter) => {
    const reasons: string[] = [];
    for (const list of ["deployments", "deliveries", "clients"]) {
      const reason = await reasonOf(admin.request("GET", `/api/${list}?${query}`), 422, "invalid request");
      expect(reason).toMatch(beginsWith(parameter));
      reasons.push(reason);
    }
    expect(new Set(reasons).size).toBe(1);
    expect(reasons[0]).toMatchSnapshot();
  });

  test("returns 422 and changes nothing for an unknown parameter on every route", async () => {
    await fill();
    const before = await admin.readStore();
    for (const [method, path] of ROUTES.filter(([, path]) => path.startsWith("/api"))) {
      const actual = await readResponse(admin.request(method, `${path}?force=true`, bodyFor(method, path)));
      const reason = expect.stringMatching(beginsWith("force"));
      expect([path, ...actual]).toMatchObject([path, 422, { reason }]);
    }
    expect(await admin.readStore()).toEqual(before);
    expect(admin.replayed).toEqual([]);
  });

  test("accepts the deployment states and the delivery statuses", async () => {
    for (const state of ["queued", "running", "succeeded", "superseded", "interrupted"]) {
      expect((await admin.request("GET", `/api/deployments?state=${state}`)).status).toBe(200);
    }
    const reasons: string[] = [];
    for (const [parameter, query] of [
      ["state", "deployments?state=done"],
      ["status", "deliveries?status=failed"],
    ] as const) {
      const reason = await reasonOf(admin.request("GET", `/api/${query}`), 422, "invalid request");
      expect(reason).toMatch(beginsWith(parameter));
      reasons.push(reason);
    }
    for (const state of ["queued", "running"]) expect(reasons[0]).toContain(state);
    for (const status of ["pong", "ok", "skipped", "success"]) expect(reasons[1]).toContain(status);
    expect(reasons).toMatchSnapshot();
  });
});

describe("admin listener > internal error", () => {
  test("returns 500 with an id from the log when a response does not match its schema", async () => {
    const secret = "a value that no response may contain";
    const broken = await openAdmin({ releasesOf: async () => [...RELEASES, { secret } as never] });
    const response = await broken.request("GET", "/api/targets/blog");
    expect(response.status).toBe(500);
    const { status, id } = (await response.json()) as { status: string; id: string };
    expect(status).toBe("internal error");
    expect(broken.log.join("\n")).toContain(id);
    expect(broken.log.join("\n")).not.toContain(secret);
    await broken.close();
  });

  test("returns 500 without the text of the error", async () => {
    const broken = await openAdmin({
      releasesOf: () => Promise.reject(new Error("a path of the machine")),
    });
    const response = await broken.request("GET", "/api/targets/blog");
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("a path");
    await broken.close();
  });
});

describe("OpenAPI description", () => {
  test("lists every route with its responses", async () => {
    const { openapi, info, paths } = (await (await admin.request("GET", "/openapi.json")).json()) as {
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
          /(?:targets|hosts)$/.test(whole.slice(0, at)) ? "/{name}" : "/{id}",
        )
        .replace("192.0.2.1", "{address}"),
    );
    expect(described.sort()).toEqual(expected.sort());
    for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods))) {
      expect(operation.summary).toBeString();
      const codes = Object.keys(operation.responses ?? {});
      expect(codes).toEqual(expect.arrayContaining(["401", "421", "422", "500"]));
      expect(codes[0]).toMatch(/^20[02]$/);
      for (const response of Object.values(operation.responses ?? {})) {
        expect(response).toMatchObject({ description: expect.any(String), content: expect.any(Object) });
      }
    }
  });

  test("lists the codes of decisions and results as enumerations with their meaning", async () => {
    const text = await (await admin.request("GET", "/openapi.json")).text();
    for (const codes of [DECISION_CODES, RESULT_CODES]) {
      expect(text).toContain(`"enum":${JSON.stringify([...Object.keys(codes), null])}`);
      for (const meaning of Object.values(codes))
        expect(text).toContain(JSON.stringify(meaning).slice(1, -1));
    }
  });
});
