import { describe, expect, test } from "bun:test";
import type { TObject } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { ApiClient, ApiRevoked, toApiClient, toApiRevoked } from "../../src/api/client.ts";
import {
  ApiDelivery,
  ApiDeliveryDetails,
  toApiDelivery,
  toApiDeliveryDetails,
} from "../../src/api/delivery.ts";
import { ApiDeployment, ApiEnd, toApiDeployment, toApiEnd } from "../../src/api/deployment.ts";
import { ApiHost, toApiHost } from "../../src/api/host.ts";
import { ApiPage, toApiPage } from "../../src/api/page.ts";
import { toApiServerEvent } from "../../src/api/server-event.ts";
import { ApiStatus, toApiStatus } from "../../src/api/status.ts";
import { ApiTarget, toApiTarget } from "../../src/api/target.ts";
import { RESULT_CODES } from "../../src/domain/codes.ts";
import type { DeliverySummary } from "../../src/domain/delivery.ts";
import type { Deployment } from "../../src/domain/deployment.ts";
import type { PushEvent, Ref } from "../../src/domain/event.ts";
import { at, COMMIT_A, COMMIT_B, delivery, lockOf, success } from "../store/sample.ts";
import { targetOf } from "../support/target.ts";

const { steps: _, ...result } = success(COMMIT_A);

const DEPLOYMENT: Deployment = {
  ...result,
  id: 12,
  target: "blog",
  host: "web-1",
  waitsFor: null,
  trigger: "push",
  attempt: 2,
  retryOf: 11,
  retriedAs: null,
  supersededBy: null,
  delivery: 7,
  pushedCommit: COMMIT_B,
  choice: null,
  previousCommit: COMMIT_B,
  createdAt: at(0),
  startedAt: at(1),
  endedAt: null,
  steps: [{ command: "npm ci", exitCode: null, signal: "SIGTERM", milliseconds: 5 }],
};

const DELIVERY: DeliverySummary = {
  ...delivery({ identity: { id: "72d3162e", hook: "1" }, otherTargets: 3 }),
  decisions: [{ target: "blog", deploy: false, code: "branch", reason: 'branch "dev" is not "main"' }],
  id: 7,
  redeliveryOf: 3,
  replayOf: null,
  deployments: [12],
  outcomes: [
    {
      deployment: 12,
      target: "docs",
      state: "failed",
      code: "timeout",
      reason: null,
      supersededBy: null,
      retriedAs: null,
    },
  ],
};

/** Asserts that a value matches a schema and has no further fields, as the server checks it. */
function expectShape(schema: TObject, value: unknown): void {
  const strict = { ...schema, additionalProperties: false };
  expect([...Value.Errors(strict, value)].map(({ path, message }) => `${path}: ${message}`)).toEqual([]);
}

const NO_STATUS = { live: null, latest: null, latestOfTip: null, queued: null, running: null, lock: null };
const NOTHING = { status: NO_STATUS, deployed: null };
const HOST = {
  name: "web-1",
  version: "1",
  since: at(0),
  seenAt: at(5),
  state: "away",
  isDraining: true,
  targets: [{ name: "blog", releases: ["r1"] }],
} as const;

describe("an API object matches its schema", () => {
  test("deployment", () => {
    const json = toApiDeployment(DEPLOYMENT);
    expectShape(ApiDeployment, json);
    expect(json).toMatchObject({ retry_of: 11, pushed_commit: COMMIT_B, created_at: at(0).toISOString() });
    expect(json.steps).toEqual([{ command: "npm ci", exit_code: null, signal: "SIGTERM", milliseconds: 5 }]);
    const end = toApiEnd({ ...DEPLOYMENT, state: "failed", code: "timeout", reason: "it took too long" });
    expectShape(ApiEnd, end);
    expect(end).toEqual({ id: 12, state: "failed", code: "timeout", reason: "it took too long" });
  });

  test("delivery", () => {
    const json = toApiDelivery(DELIVERY);
    expectShape(ApiDelivery, json);
    expect(json).toMatchObject({ provider_id: "72d3162e", redelivery_of: 3, other_targets: 3 });
    expect(json.outcomes).toEqual([
      { deployment: 12, target: "docs", state: "failed", code: "timeout", reason: null },
    ]);
    const details = toApiDeliveryDetails(DELIVERY, Buffer.from("\ufeff{}"), []);
    expectShape(ApiDeliveryDetails, details);
    expect(details).toMatchObject({ ...json, pushes: [], body: "\ufeff{}" });
  });

  test("target", () => {
    const lock = lockOf("blog", { until: at(9) });
    const live = { commit: COMMIT_A, release: null, since: at(5) };
    const status = { ...NO_STATUS, lock, live, latest: DEPLOYMENT, queued: 13 };
    const json = toApiTarget(targetOf("blog"), { status, deployed: DEPLOYMENT }, null);
    expectShape(ApiTarget, json);
    expect(json.last).toEqual({ id: 12, state: "succeeded", code: null, reason: null, ended_at: null });
    expect(json.live).toEqual({
      commit: COMMIT_A,
      release: null,
      since: at(5).toISOString(),
      deployment: 12,
      subject: DEPLOYMENT.subject,
      author: DEPLOYMENT.author,
      commit_url: DEPLOYMENT.commitUrl,
    });
    const unknown = { deployment: null, subject: null, author: null, commit_url: null };
    expect(toApiTarget(targetOf("blog"), { status, deployed: null }, null).live).toMatchObject(unknown);
    expectShape(ApiTarget, toApiTarget(targetOf("docs", { repository: null }), NOTHING, null));
  });

  test("target of several hosts, of which one has never run", () => {
    const hosts = [
      { name: "web-1", host: HOST, ...NOTHING },
      { name: "web-2", host: null, ...NOTHING },
    ];
    const json = toApiTarget(targetOf("blog"), NOTHING, hosts);
    expectShape(ApiTarget, json);
    const nothing = { live: null, queued: null, running: null, last: null };
    expect(json.hosts).toEqual([
      { host: "web-1", state: "away", draining: true, ...nothing, releases: ["r1"] },
      { host: "web-2", state: "unknown", draining: false, ...nothing, releases: null },
    ]);
  });

  test("host", () => {
    const json = toApiHost(HOST, [DEPLOYMENT], []);
    expectShape(ApiHost, json);
    expect(json).toMatchObject({ name: "web-1", draining: true, running: [12], queued: [] });
  });

  test("client", () => {
    const client = { id: 2, source: "webhook", address: "192.0.2.1", authorisedAt: at(0), expiresAt: at(9) };
    expectShape(ApiClient, toApiClient(client));
    expectShape(ApiRevoked, toApiRevoked([client]));
    expect(toApiRevoked([client]).clients[0]).not.toHaveProperty("id");
  });

  test("status", () => {
    const about = {
      version: "1",
      startedAt: at(0),
      draining: true,
      publicUrl: null,
      certificateExpiresAt: null,
    };
    const json = toApiStatus(
      about,
      { bytes: 1, queued: 2, running: 3 },
      {
        sources: [],
        targets: 4,
        disks: [{ path: "/srv", free: 5, total: 6 }],
        host: "web-1",
        hosts: [HOST],
      },
    );
    expectShape(ApiStatus, json);
    expect(json.hosts).toEqual([{ name: "web-1", state: "away", draining: true }]);
    expect(json).toMatchObject({ status: "stopping", store_bytes: 1, targets: 4 });
    expect(json.disks).toEqual([{ path: "/srv", free_bytes: 5, total_bytes: 6 }]);
  });
});

describe("a schema", () => {
  const json = toApiDeployment(DEPLOYMENT);

  test("accepts words and fields of a newer version", () => {
    const newer = { ...json, state: "paused", code: "a_new_code", host: "web-1" };
    expect(Value.Check(ApiDeployment, newer)).toBe(true);
    const page = toApiPage({ items: [DEPLOYMENT], next: 12 }, () => newer);
    expect(Value.Check(ApiPage(ApiDeployment), page)).toBe(true);
  });

  test.each([
    ["a missing field", { target: undefined }],
    ["an id of 0", { id: 0 }],
    ["a time in another format", { created_at: "yesterday" }],
    ["a code that is not text", { code: 5 }],
  ])("rejects %s", (_what, changes) => {
    expect(Value.Check(ApiDeployment, { ...json, ...changes })).toBe(false);
  });

  test("lists every code with its meaning, and null where the code may be null", () => {
    const [code] = ApiDeployment.properties.code.anyOf;
    expect(code.enum).toEqual([...Object.keys(RESULT_CODES), null]);
    for (const [name, meaning] of Object.entries(RESULT_CODES)) {
      expect(code.description).toContain(`\`${name}\`: ${meaning}`);
    }
  });
});

describe("a deployment's `chosen`", () => {
  test.each([
    ["a commit", { kind: "commit", commit: "0123456" }, "0123456"],
    [
      "a release",
      { kind: "release", release: "20261121T203000Z-aaaaaaaaaaaa" },
      "20261121T203000Z-aaaaaaaaaaaa",
    ],
    ["the previous release", { kind: "release", release: null }, null],
  ] as const)("is %s", (_what, choice, chosen) => {
    expect(toApiDeployment({ ...DEPLOYMENT, choice }).chosen).toBe(chosen);
  });
});

describe("a target's branch and tag", () => {
  test("depend on the ref that it deploys", () => {
    const describe = (
      ref: { kind: "branch"; name: string } | { kind: "tag"; pattern: string; prereleases: boolean },
    ) => {
      const repository = { fullName: "octocat/blog", ref, cloneUrl: "x", depth: null };
      const { branch, tag } = toApiTarget(targetOf("blog", { repository }), NOTHING, null);
      return { branch, tag };
    };
    expect(describe({ kind: "branch", name: "main" })).toEqual({ branch: "main", tag: null });
    expect(describe({ kind: "tag", pattern: "v*", prereleases: false })).toEqual({ branch: null, tag: "v*" });
  });
});

describe("a delivery's `pushed`", () => {
  test.each<[ref: Ref, name: string]>([
    [{ kind: "branch", name: "a/b" }, "refs/heads/a/b"],
    [{ kind: "tag", name: "v1" }, "refs/tags/v1"],
    [{ kind: "other", name: "refs/notes/x" }, "refs/notes/x"],
  ])("names the ref %j in full", (ref, name) => {
    const push: PushEvent = {
      kind: "push",
      repository: "octocat/blog",
      ref,
      deleted: false,
      commit: COMMIT_A,
      skip: false,
    };
    const { pushes } = toApiDeliveryDetails(DELIVERY, Buffer.from("{}"), [push]);
    expect(pushes).toEqual([{ repository: "octocat/blog", ref: name, commit: COMMIT_A }]);
  });
});

describe("an event of the stream of all events", () => {
  const parse = (...event: Parameters<typeof toApiServerEvent>) => JSON.parse(toApiServerEvent(...event));

  test("contains the deployment, the lock or its own fields", () => {
    const time = at(0).toISOString();
    expect(parse({ kind: "deployment", deployment: DEPLOYMENT }, at(0))).toEqual({
      at: time,
      deployment: toApiDeployment(DEPLOYMENT),
    });
    expect(parse({ kind: "lock", target: "blog", lock: lockOf("blog") }, at(0))).toEqual({
      at: time,
      target: "blog",
      locked: { reason: "release freeze", by: "ada", since: time, until: null },
    });
    expect(parse({ kind: "lock", target: "blog", lock: null }, at(0))).toMatchObject({ locked: null });
    const client = { kind: "client", source: "webhook", address: "192.0.2.1", change: "revoked" } as const;
    expect(parse(client, at(0))).toEqual({
      at: time,
      source: "webhook",
      address: "192.0.2.1",
      change: "revoked",
    });
  });
});
