import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { hash, randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Store } from "../../src/domain/store.ts";
import { copyStore } from "../../src/store/copy/index.ts";
import { stores } from "../../src/store/index.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { type Cluster, HAS_POSTGRES, LONG_LEASE, startCluster } from "../support/postgres.ts";
import { words } from "../support/words.ts";
import { makeDirectory } from "./directory.ts";
import {
  at,
  blockedPush,
  COMMIT_A,
  delivery,
  keep,
  lockOf,
  options,
  pushFor,
  rejection,
  runNext,
  skippedPush,
  success,
} from "./sample.ts";

setDefaultTimeout(120_000);

describe.skipIf(!HAS_POSTGRES)("copying the store", () => {
  let cluster: Cluster;
  let url: string;
  let directory: Awaited<ReturnType<typeof makeDirectory>>;
  const data = (name = "data") => join(directory.path, name);
  const copy = (to: "postgres" | "sqlite", name = "data") =>
    copyStore({ dataDirectory: data(name), postgres: { url, host: "web-1" }, to });

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    directory = await makeDirectory();
    url = await cluster.createDatabase(LONG_LEASE);
  });
  afterEach(() => directory.remove());

  const REPEATED = delivery({ identity: { id: "1", hook: "h\0" }, body: Buffer.from('{"repeated":true}') });

  /** Everything that a store can hold, with the id of a deployment that runs. */
  async function fill(store: Store): Promise<void> {
    await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        keep(store, delivery({ body: Buffer.from(`{"n":${n}} `.repeat(100)) })),
      ),
    );
    await keep(store, REPEATED);
    await keep(store, delivery({ body: randomBytes(3_000_000) }));
    await keep(store, skippedPush("docs"));
    await keep(store, pushFor("blog"), { pushedCommit: COMMIT_A });
    const steps = [{ command: "npm ci", exitCode: null, signal: "SIGTERM", milliseconds: 5 }];
    const notify = [{ name: "chat", targets: null, kinds: ["succeeded"] as const }];
    const id = await runNext(store, "blog", success(COMMIT_A, { steps }), at(1), notify);
    await store.appendOutput(id, ["one", "", "two\0\u{e000}"]);
    await store.lock(lockOf("shop", { until: at(99) }));
    await keep(store, blockedPush("shop"));
    await keep(store, pushFor("blog", "docs"));
    await store.claim(["docs"], at(2));
    await store.authorise({ source: "webhook", address: "192.0.2.1", authorisedAt: at(0), expiresAt: at(9) });
    await store.storeRanges("github", ["192.0.2.0/24"], at(0));
  }

  /** What people see of it, without the host's name. */
  async function show(store: Store): Promise<string> {
    const range = { limit: 500, before: null };
    const all = await store.listDeliveries({ source: null, status: null, target: null }, range);
    const deployments = await store.listDeployments({ target: null, state: null, source: null }, range);
    const shown = {
      bodies: await Promise.all(
        all.items.map(async ({ id }) => hash("sha256", (await store.readDelivery(id))?.body ?? "")),
      ),
      outcomes: all.items,
      deployments: deployments.items,
      output: await Promise.all(deployments.items.map(({ id }) => store.readOutput(id))),
      live: await store.readLive("blog"),
      status: await store.readTargetStatus("blog", at(3)),
      locks: await store.listLocks(),
      clients: await store.listClients(null, range),
      due: await store.dueNotifications(at(99), 9),
      ranges: await store.readRanges("github"),
    };
    return JSON.stringify(shown).replaceAll(`"host":"${store.host}"`, '"host":""');
  }

  test("to Postgres and back shows the same, and goes on where it was", async () => {
    const first = await stores.sqlite(data());
    await fill(first);
    const before = await show(first);
    await first.close();
    const copied = await copy("postgres");
    expect(Object.fromEntries(copied)).toMatchObject({
      delivery: 36,
      deployment: 3,
      output: 3,
      step: 1,
      live: 1,
    });

    const postgres = await openPostgres({ url, host: "web-1" });
    expect(await show(postgres)).toBe(before);
    expect(await postgres.accept(REPEATED, options({ onRedelivery: "skip" }))).toEqual({
      kind: "duplicate",
      delivery: 31,
    });
    // What ran when the server was stopped is recovered as after a crash.
    expect(await postgres.recoverInterrupted(at(4), [])).toMatchObject([{ deployment: { target: "docs" } }]);
    expect((await postgres.unlock("shop", at(5)))?.queued?.deployment).toMatchObject({
      target: "shop",
      host: "web-1",
    });
    expect((await keep(postgres, delivery())).delivery).toBe(37);
    const after = await show(postgres);
    await postgres.close();

    await copy("sqlite", "back");
    const back = await stores.sqlite(data("back"));
    expect(await show(back)).toBe(after);
    expect(await back.accept(REPEATED, options({ onRedelivery: "skip" }))).toEqual({
      kind: "duplicate",
      delivery: 31,
    });
    expect((await keep(back, delivery())).delivery).toBe(38);
    await back.close();
  });

  test("takes back only the deployments of this host", async () => {
    const first = await openPostgres({ url, host: "web-1" });
    const hosts = ["web-1", "web-2"];
    const { deployments } = await keep(first, pushFor("blog"), {
      placementOf: () => ({ hosts, rollout: "together" }),
    });
    await first.close();
    await copy("sqlite");
    const store = await stores.sqlite(data());
    expect(await store.readDeployment(deployments[0]?.id ?? 0)).toMatchObject({ state: "queued" });
    expect(await store.readDeployment(deployments[1]?.id ?? 0)).toBeNull();
    await store.close();
  });

  test("is refused, and changes nothing, while a server runs or where something is stored", async () => {
    const messages: string[] = [];
    const refused = async (to: "postgres" | "sqlite") => {
      const error = await rejection(copy(to));
      expect(error).toMatchObject({ code: "failed" });
      messages.push(words(error.message, { [directory.path]: "<directory>" }));
    };
    const sqlite = await stores.sqlite(data());
    await keep(sqlite, delivery());
    await refused("postgres");
    await sqlite.close();
    const postgres = await openPostgres({ url, host: "web-2" });
    await refused("postgres");
    await keep(postgres, delivery());
    await postgres.close();
    await refused("postgres");
    await refused("sqlite");
    expect(messages).toMatchSnapshot();
    const again = await openPostgres({ url, host: "web-2" });
    expect((await keep(again, delivery())).delivery).toBe(2);
    await again.close();
  });
});
