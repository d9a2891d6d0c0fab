import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Fleet } from "../../src/domain/host.ts";
import { createEventBus } from "../../src/flow/event-bus.ts";
import { createBodyBudget } from "../../src/http/body-budget.ts";
import { createMetrics } from "../../src/http/prometheus.ts";
import { createPublic } from "../../src/http/public.ts";
import { github } from "../../src/providers/github/index.ts";
import { COMMIT_A, success } from "../store/sample.ts";
import { TestClock } from "../support/clock.ts";
import { logInto, secretOf } from "../support/public.ts";
import { type AdminHarness, openAdmin } from "./admin-harness.ts";

let admin: AdminHarness;

beforeEach(async () => {
  admin = await openAdmin();
});

afterEach(() => admin.close());

/** Returns the samples by name and labels, in the written form. */
async function scrape(): Promise<Record<string, number>> {
  const response = await admin.request("GET", "/metrics");
  expect(response.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
  const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

async function deploy(target: string): Promise<void> {
  const request = { target, trigger: "manual", commit: null, choice: null } as const;
  const {
    deployment: { id },
  } = await admin.store.queueDeployment(request, new Date("2026-11-21T20:30:00Z"));
  await admin.store.claim([target], new Date("2026-11-21T20:30:01Z"));
  const { deployment: ended } = await admin.store.finish(
    id,
    success(COMMIT_A),
    new Date("2026-11-21T20:30:05Z"),
    [],
  );
  admin.eventBus.publish({ kind: "deployment", deployment: ended });
}

describe("metrics", () => {
  test("count a superseded deployment", async () => {
    for (let times = 0; times < 3; times++) await admin.request("POST", "/api/targets/blog/deploy");
    expect(await scrape()).toMatchObject({
      'hooklatch_deployments_total{target="blog",state="superseded",code="superseded"}': 2,
      hooklatch_deployments_queued: 1,
    });
  });

  test("describe deployments, the store, locks, the certificate and the process", async () => {
    await deploy("blog");
    await deploy("gone from the configuration");
    await admin.store.queueDeployment(
      { target: "docs", trigger: "manual", commit: null, choice: null },
      new Date(),
    );
    await admin.request("POST", "/api/targets/docs/lock", { body: { reason: "freeze" } });
    const samples = await scrape();
    expect(samples).toMatchObject({
      'hooklatch_deployments_total{target="blog",state="succeeded"}': 1,
      'hooklatch_deployment_duration_seconds_sum{target="blog"}': 4,
      'hooklatch_deployment_duration_seconds_bucket{le="2.5",target="blog"}': 0,
      'hooklatch_deployment_duration_seconds_bucket{le="5",target="blog"}': 1,
      hooklatch_deployments_queued: 1,
      hooklatch_deployments_running: 0,
      'hooklatch_target_locked{target="blog"}': 0,
      'hooklatch_target_locked{target="docs"}': 1,
      'hooklatch_info{version="1.2.3"}': 1,
      hooklatch_certificate_expiry_timestamp_seconds: Date.parse("2027-01-01T00:00:00Z") / 1000,
    });
    expect(Object.keys(samples).join()).not.toContain("gone");
    for (const name of [
      "hooklatch_store_bytes",
      "process_resident_memory_bytes",
      "process_start_time_seconds",
    ]) {
      expect(samples[name]).toBeGreaterThan(0);
    }
  });

  test("with several hosts, count the deployments of the own host and name it", async () => {
    const store = { ...admin.store, fleet: {} as Fleet, host: "web-1" };
    const clock = new TestClock();
    const eventBus = createEventBus(clock);
    const about = () => ({ version: "1", certificateExpiresAt: null });
    const metrics = createMetrics({ store, clock, eventBus, targets: () => [{ name: "blog" }], about });
    await deploy("blog");
    const ended = await admin.store.readDeployment(1);
    if (ended === null) throw new Error("the deployment is not stored");
    for (const host of ["web-1", "web-2"]) {
      eventBus.publish({ kind: "deployment", deployment: { ...ended, host } });
    }
    const { text } = await metrics.read();
    expect(text).toContain('hooklatch_deployments_total{target="blog",state="succeeded",host="web-1"} 1');
    expect(text).toContain('hooklatch_deployment_duration_seconds_sum{target="blog",host="web-1"} 4');
    expect(text).not.toContain("web-2");
  });

  test("count the responses of a source by status and ignore unknown paths", async () => {
    const [name, path] = ["github", "/github-webhook"];
    const handler = github.createHandler({ secrets: [secretOf("a secret of the tests, long enough")] });
    const listener = createPublic({
      sources: [
        {
          name,
          path,
          provider: "github",
          handler,
          keepHeaders: [],
          answer: { kind: "receipt" },
          print: false,
          onRedelivery: "run",
          allow: null,
        },
      ],
      maxBody: 1024,
      bodyBudget: createBodyBudget(1024, () => {}),
      trustedProxies: [],
      clientIpHeader: "X-Forwarded-For",
      isAllowed: () => true,
      refusals: { record: () => {} },
      logErrorThrottled: () => {},
      async receive() {
        throw new Error("an internal error");
      },
      async authorise() {
        return { kind: "bad token", code: "token_mismatch" };
      },
      count: admin.metrics.count,
      log: logInto([]),
      store: admin.store,
      clock: new TestClock(),
      eventBus: createEventBus(new TestClock()),
      closing: new AbortController().signal,
    });
    const send = (path: string, init: RequestInit) =>
      listener.handle(new Request(`http://hooks.test${path}`, init), "192.0.2.1");
    const json = { method: "POST", headers: { "content-type": "application/json" } };
    await send("/nowhere", { ...json, body: "{}" });
    await send("/healthz", {});
    await send(path, { method: "PUT" });
    await send(path, { ...json, body: "x".repeat(2000) });
    await send(path, { ...json, body: "{}" });
    await send(path, { ...json, body: "{}" });
    const counted = Object.entries(await scrape()).filter(([sample]) =>
      sample.startsWith("hooklatch_deliveries_total"),
    );
    expect(Object.fromEntries(counted)).toEqual({
      'hooklatch_deliveries_total{source="github",status="method not allowed"}': 1,
      'hooklatch_deliveries_total{source="github",status="payload too large"}': 1,
      'hooklatch_deliveries_total{source="github",status="internal error"}': 2,
    });
  });

  test("omit the certificate until there is one", async () => {
    let certificateExpiresAt: Date | null = null;
    const metrics = createMetrics({
      store: admin.store,
      clock: new TestClock(),
      targets: () => [],
      eventBus: admin.eventBus,
      about: () => ({ version: "1.2.3", certificateExpiresAt }),
    });
    expect((await metrics.read()).text).not.toContain("certificate");
    for (const year of [2027, 2028]) {
      certificateExpiresAt = new Date(`${year}-01-01T00:00:00Z`);
      expect((await metrics.read()).text).toContain(
        `hooklatch_certificate_expiry_timestamp_seconds ${certificateExpiresAt.getTime() / 1000}\n`,
      );
    }
  });
});
