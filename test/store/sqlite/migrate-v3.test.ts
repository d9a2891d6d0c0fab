import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import type { DecisionCode } from "../../../src/domain/codes.ts";
import { describeResult } from "../../../src/domain/deployment-result.ts";
import type { Decision } from "../../../src/domain/match.ts";
import type { Store } from "../../../src/domain/store.ts";
import { createStore } from "../../../src/store/group.ts";
import { type Connection, openDatabase } from "../../../src/store/sqlite/connection.ts";
import { assembleEngine } from "../../../src/store/sqlite/index.ts";
import { migrate } from "../../../src/store/sqlite/migrate.ts";
import { makeDirectory } from "../directory.ts";
import { at, delivery, keep, request } from "../sample.ts";

const FIXTURE = join(import.meta.dir, "../../fixtures/store/v3/hooklatch.db");

interface OldDelivery {
  readonly id: number;
  readonly source: string;
  readonly event: string;
  readonly status: string;
  readonly received_at: number;
  readonly redelivery_of: number | null;
  readonly replay_of: number | null;
  readonly headers: string;
  readonly body_encoding: string;
  readonly body: Uint8Array;
  readonly encoding: string;
  readonly decisions: Uint8Array;
}

interface OldDeployment {
  readonly id: number;
  readonly state: string;
  readonly reason: string | null;
  readonly delivery: number | null;
  readonly [column: string]: unknown;
}

/** The columns of a deployment that the migration does not change. */
const SAME_COLUMNS = `id, target, state, trigger, delivery, pushed_commit, attempt, branch, "commit", previous_commit, release,
  created_at, started_at, ended_at, choice, chosen`;

let directory: Awaited<ReturnType<typeof makeDirectory>>;
let connection: Connection;
let store: Store;
let oldDeliveries: readonly OldDelivery[];
let oldDeployments: readonly OldDeployment[];
let sameColumns: readonly unknown[];
let oldNotices: readonly object[];
let otherTables: Readonly<Record<string, readonly unknown[]>>;

/** Tables by their old names, with the new ones. */
const OTHER_TABLES = {
  client: "client",
  lock: "lock",
  live: "live",
  step: "step",
  output: "output",
  output_extent: "output_extent",
  seen: "seen",
  seen_lately: "seen_lately",
  undeployed: "not_deployed",
} as const;

beforeAll(async () => {
  directory = await makeDirectory();
  const file = join(directory.path, "hooklatch.db");
  await copyFile(FIXTURE, file);
  using old = new Database(file);
  const read = <Row>(sql: string) => old.query<Row, []>(sql).all();
  expect(read("PRAGMA user_version")).toEqual([{ user_version: 3 }]);
  oldDeliveries = read(
    "SELECT delivery.*, encoding, decisions FROM delivery JOIN decision_set ON decision_set.id = decision_set ORDER BY delivery.id",
  );
  oldDeployments = read("SELECT * FROM deployment ORDER BY id");
  sameColumns = read(`SELECT ${SAME_COLUMNS} FROM deployment ORDER BY id`);
  oldNotices = read("SELECT * FROM notice");
  otherTables = Object.fromEntries(
    Object.keys(OTHER_TABLES).map((table) => [table, read(`SELECT * FROM ${table}`)]),
  );
  old.close();
  connection = openDatabase(file);
  migrate(connection);
  store = createStore(assembleEngine(connection, () => {}));
});
afterAll(async () => {
  await store.close();
  await directory.remove();
});

const all = <Row>(sql: string) => connection.prepare<Row>(sql).all({});

function unpack(encoding: string, bytes: Uint8Array): Buffer {
  return Buffer.from(encoding === "zstd" ? zstdDecompressSync(bytes) : bytes);
}

describe("migrating a database of version 3", () => {
  test("reaches version 8 without broken references", () => {
    expect(all("PRAGMA user_version")).toEqual([{ user_version: 8 }]);
    expect(all("PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
    expect(all("PRAGMA foreign_key_check")).toEqual([]);
    expect(all("PRAGMA foreign_keys")).toEqual([{ foreign_keys: 1 }]);
    expect(
      all("SELECT name FROM sqlite_schema WHERE name IN ('decision_set', 'undeployed', 'notice')"),
    ).toEqual([]);
  });

  test("changes nothing in the other tables", () => {
    expect(oldDeployments.length).toBeGreaterThan(30);
    expect(all(`SELECT ${SAME_COLUMNS} FROM deployment ORDER BY id`)).toEqual([...sameColumns]);
    for (const [before, after] of Object.entries(OTHER_TABLES)) {
      expect([after, all(`SELECT * FROM ${after}`)]).toEqual([after, [...(otherTables[before] ?? [])]]);
    }
    expect(otherTables.lock).not.toEqual([]);
    expect(otherTables.undeployed).not.toEqual([]);
  });

  test("shows the same deliveries, with codes for the decisions that they are about", async () => {
    expect(oldDeliveries.length).toBeGreaterThan(40);
    expect(new Set(oldDeliveries.map(({ encoding }) => encoding))).toEqual(new Set(["plain", "zstd"]));
    for (const old of oldDeliveries) {
      const { decisions, reason } = JSON.parse(unpack(old.encoding, old.decisions).toString()) as {
        decisions: readonly Omit<Decision, "code">[];
        reason: string | null;
      };
      const migrated = await store.readDelivery(old.id);
      expect(migrated).toMatchObject({
        id: old.id,
        source: old.source,
        event: old.event,
        eventName: ["ping", "push"].includes(old.event) ? old.event : null,
        action: null,
        status: old.status,
        reason,
        receivedAt: new Date(old.received_at),
        redeliveryOf: old.redelivery_of,
        replayOf: old.replay_of,
        headers: JSON.parse(old.headers),
        deployments: oldDeployments.filter((each) => each.delivery === old.id).map(({ id }) => id),
      });
      expect(Buffer.from(migrated?.body ?? []).equals(unpack(old.body_encoding, old.body))).toBe(true);
      const about = migrated?.decisions ?? [];
      expect(about.length + (migrated?.otherTargets ?? 0)).toBe(decisions.length);
      for (const { code, ...decision } of about) {
        expect(decisions).toContainEqual(decision);
        expect(code === null).toBe(decision.deploy);
      }
      const left = decisions.filter(({ target }) => !about.some((decision) => decision.target === target));
      for (const { deploy, reason } of left) {
        expect(deploy).toBe(false);
        expect(reason).toMatch(/^(?:repository |event |a ping )/);
      }
    }
  });

  test("gives each kind of decision its code", async () => {
    const codesOf = async (id: number) =>
      Object.fromEntries(
        (await store.readDelivery(id))?.decisions.map(({ target, code }) => [target, code]) ?? [],
      );
    const expected: Readonly<Record<number, Record<string, DecisionCode | null>>> = {
      1: {},
      3: {},
      4: {},
      5: { blog: "branch", preview: "branch", versions: "tag" },
      6: { blog: "branch", preview: "branch", versions: "tag" },
      7: { blog: "deleted", preview: "branch", versions: "tag" },
      8: { blog: "skip_requested", preview: "branch", versions: "tag" },
      10: { job: null },
      11: { blog: null, preview: "branch", versions: "tag" },
      35: { blog: "locked", preview: "branch", versions: "tag" },
      36: { docs: "locked" },
    };
    for (const [id, codes] of Object.entries(expected)) expect(await codesOf(Number(id))).toEqual(codes);
  });

  test("finds the deliveries of a target", async () => {
    for (const target of ["blog", "docs", "preview", "versions", "job"]) {
      const { items } = await store.listDeliveries(
        { source: null, status: null, target },
        { limit: 500, before: null },
      );
      const about = (otherTables.undeployed as readonly { target: string; delivery: number }[])
        .filter((row) => row.target === target)
        .map((row) => row.delivery);
      const deployed = oldDeployments
        .filter((deployment) => deployment.target === target && deployment.delivery !== null)
        .map(({ delivery }) => Number(delivery));
      const ids = [...new Set([...about, ...deployed])].sort((a, b) => b - a);
      expect(items.map(({ id }) => id)).toEqual(ids);
      expect(items).not.toEqual([]);
    }
  });

  test("describes the results of deployments as before, apart from the prefix of skipped ones", async () => {
    for (const { id, state, reason } of oldDeployments) {
      const migrated = await store.readDeployment(id);
      if (migrated === null) throw new Error(`deployment ${id} is missing`);
      expect(migrated.state as string).toBe(state);
      expect(describeResult(migrated)).toBe(reason?.replace(/^skipped: /, "") ?? null);
      const hasCode = !["succeeded", "queued", "running"].includes(state);
      expect([id, migrated.code !== null]).toEqual([id, hasCode]);
    }
  });

  test("fills the codes and references of deployments", async () => {
    const { items } = await store.listDeployments(
      { target: null, state: null, source: null },
      { limit: 500, before: null },
    );
    const coded = items.toReversed().filter(({ code }) => code !== null);
    expect(Object.fromEntries(coded.map(({ id, code }): [number, string | null] => [id, code]))).toEqual({
      5: "skip_requested",
      8: "paths_unchanged",
      9: "paths_unchanged",
      11: "rolled_back",
      12: "step_failed",
      14: "ref_missing",
      15: "ref_missing",
      16: "health_check_failed",
      17: "commit_missing",
      18: "commit_missing",
      19: "timeout",
      20: "fetch_failed",
      21: "cancelled",
      22: "superseded",
      23: "superseded",
      24: "cancelled",
      25: "shutdown",
      26: "shutdown",
      27: "crash",
      28: "crash",
      29: "crash",
      30: "cancelled",
      31: "shutdown",
      32: "cancelled",
      34: "ref_missing",
      35: "shutdown",
      36: "not_configured",
      37: "not_configured",
    });
    const links = (key: "retryOf" | "retriedAs" | "supersededBy") =>
      Object.fromEntries(items.flatMap(({ id, [key]: other }) => (other === null ? [] : [[id, other]])));
    expect(links("retryOf")).toEqual({ 26: 25, 28: 27, 32: 31, 37: 35 });
    expect(links("retriedAs")).toEqual({ 25: 26, 27: 28, 31: 32, 35: 37 });
    expect(links("supersededBy")).toEqual({ 22: 23, 23: 24, 26: 27, 29: 30 });
  });

  test("renames the columns of the notifications that were not sent", () => {
    expect(oldNotices).not.toEqual([]);
    const { subscriber, news, ...same } = Object.fromEntries(
      Object.keys(oldNotices[0] ?? {}).map((column) => [column, column]),
    );
    expect([subscriber, news]).toEqual(["subscriber", "news"]);
    const columns = ["channel AS subscriber", "kind AS news", ...Object.keys(same)].join();
    expect(all<object>(`SELECT ${columns} FROM notification`)).toEqual([...oldNotices]);
  });

  test("reuses no id of a delivery or deployment, also when the newest ones are removed", async () => {
    const next = await keep(store, delivery());
    expect(next.delivery).toBe((oldDeliveries.at(-1)?.id ?? 0) + 1);
    const { deployment } = await store.queueDeployment(request("blog"), at(0));
    expect(deployment.id).toBe((oldDeployments.at(-1)?.id ?? 0) + 1);
    connection.execute(`DELETE FROM delivery WHERE id = ${next.delivery}`);
    expect((await keep(store, delivery())).delivery).toBe(next.delivery + 1);
  });
});
