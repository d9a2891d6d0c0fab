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
import pg from "pg";
import type { Store } from "../../../src/domain/store.ts";
import { AppError } from "../../../src/lib/errors.ts";
import { readDatabaseUrl, requireAddress } from "../../../src/lib/postgres-url.ts";
import { openDatabase } from "../../../src/store/postgres/connection.ts";
import { migrate } from "../../../src/store/postgres/migrate.ts";
import { openPostgres } from "../../../src/store/postgres.ts";
import { type CuttingProxy, startCuttingProxy } from "../../support/cutting-proxy.ts";
import { type Cluster, HAS_POSTGRES, LONG_LEASE, startCluster } from "../../support/postgres.ts";
import { words } from "../../support/words.ts";
import {
  at,
  blockedPush,
  COMMIT_A,
  delivery,
  keep,
  lockOf,
  onlyDeployment,
  options,
  pushFor,
  rejection,
  request,
  success,
} from "../sample.ts";

setDefaultTimeout(120_000);

describe.skipIf(!HAS_POSTGRES)("the connection to Postgres", () => {
  let cluster: Cluster;
  let proxy: CuttingProxy;
  let direct: string;
  let url: string;
  let admin: pg.Client;
  let store: Store;

  beforeAll(async () => {
    cluster = await startCluster();
    direct = await cluster.createDatabase(LONG_LEASE);
    proxy = await startCuttingProxy(cluster.port);
    url = direct.replace(`:${cluster.port}/`, `:${proxy.port}/`);
    await (await openPostgres({ url: direct, host: "web-1" })).close();
  });
  afterAll(async () => {
    proxy.close();
    await cluster.stop();
  });

  beforeEach(async () => {
    admin = await connectAdmin(direct);
    await cluster.empty(direct);
    store = await openPostgres({ url, host: "web-1" });
  });
  afterEach(async () => {
    await store.close();
    await admin.end();
  });

  /** Every row of the database but the leases. */
  async function readAll(): Promise<string> {
    const { rows } = await admin.query<{ name: string }>(
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'hooklatch' AND tablename <> 'host' ORDER BY 1",
    );
    const tables = [];
    for (const { name } of rows) {
      const found = await admin.query(
        `SELECT row_to_json(t)::text AS row FROM hooklatch.${name} AS t ORDER BY 1`,
      );
      tables.push([name, found.rows]);
    }
    return JSON.stringify(tables);
  }

  /** Each prepares the database, and returns the act during which the connection is cut, and where. */
  const acts: Readonly<Record<string, () => Promise<readonly [act: () => Promise<unknown>, text: string]>>> =
    {
      accept: async () => [() => store.accept(pushFor("blog"), options()), "COMMIT"],
      "accept, at its first row": async () => [
        () => store.accept(pushFor("blog"), options()),
        "INSERT INTO delivery",
      ],
      "accept of a blocked push": async () => {
        await store.lock(lockOf("blog"));
        return [() => store.accept(blockedPush("blog"), options()), "COMMIT"];
      },
      queueDeployment: async () => [() => store.queueDeployment(request("blog"), at(0)), "COMMIT"],
      claim: async () => {
        await keep(store, pushFor("blog"));
        return [() => store.claim(["blog"], at(1)), "COMMIT"];
      },
      finish: async () => {
        const id = await run();
        return [() => store.finish(id, success(COMMIT_A), at(2), []), "COMMIT"];
      },
      cancelQueued: async () => {
        const id = onlyDeployment(await keep(store, pushFor("blog")));
        return [() => store.cancelQueued(id, "cancelled by ada", at(1)), "COMMIT"];
      },
      appendOutput: async () => {
        const id = await run();
        return [() => store.appendOutput(id, ["one", "two"]), "COMMIT"];
      },
      lock: async () => [() => store.lock(lockOf("blog")), "COMMIT"],
      unlock: async () => {
        await store.lock(lockOf("blog"));
        await keep(store, blockedPush("blog"));
        return [() => store.unlock("blog", at(1)), "COMMIT"];
      },
      prune: async () => {
        await keep(store, delivery());
        const old = { deliveriesBefore: at(9), deploymentsBefore: at(9), limit: 10 };
        return [() => store.prune(old), "COMMIT"];
      },
      authorise: async () => {
        const client = { source: "webhook", address: "192.0.2.1", authorisedAt: at(0), expiresAt: at(9) };
        return [() => store.authorise(client), "INSERT INTO client"];
      },
      cancelUnconfigured: async () => {
        await keep(store, pushFor("blog"));
        return [() => store.cancelUnconfigured([], at(1)), "COMMIT"];
      },
    };

  async function run(): Promise<number> {
    await keep(store, pushFor("blog"));
    return (await store.claim(["blog"], at(1)))?.id ?? 0;
  }

  test.each(Object.keys(acts))(
    "that is cut during %s keeps nothing of it, and the next attempt succeeds",
    async (name) => {
      const [act, text] = (await acts[name]?.()) ?? [async () => {}, ""];
      const before = await readAll();
      proxy.cutAt(text);
      expect(await rejection(act())).toMatchObject({ code: "unavailable" });
      expect(proxy.hasCut()).toBe(true);
      expect(await readAll()).toBe(before);
      await act();
      expect(await readAll()).not.toBe(before);
    },
  );

  test("rejects acts as unavailable while the server is stopped, and works again afterwards", async () => {
    const stored = await keep(store, delivery());
    await cluster.restart("immediate");
    admin = await connectAdmin(direct);
    const results = [];
    for (let attempt = 0; attempt < 20; attempt++) {
      results.push(
        await store.probe(at(0)).then(
          () => "done",
          (error: unknown) => error instanceof AppError && error.code,
        ),
      );
    }
    expect(results.filter((result) => result !== "done" && result !== "unavailable")).toEqual([]);
    expect(results.at(-1)).toBe("done");
    expect((await store.readDelivery(stored.delivery))?.id).toBe(stored.delivery);
  });

  test("rejects acts as unavailable while the server refuses the login, and works again afterwards", async () => {
    await admin.query("CREATE ROLE rotated LOGIN SUPERUSER");
    const rotated = await openPostgres({ url: direct.replace("postgres@", "rotated@"), host: "web-2" });
    await admin.query("ALTER ROLE rotated NOLOGIN");
    await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotated'");
    const refused = [];
    // A statement on a connection that was cut is rejected, too.
    for (let attempt = 0; attempt < 10; attempt++) refused.push(await rejection(rotated.probe(at(0))));
    expect(refused.filter((error) => !(error instanceof AppError && error.code === "unavailable"))).toEqual(
      [],
    );
    expect(refused.at(-1)?.message).toContain("refuses the user or the password");
    await admin.query("ALTER ROLE rotated LOGIN");
    expect((await keep(rotated, delivery())).delivery).toBeGreaterThan(0);
    await rotated.close();
  });

  test("waits for another process that hangs in the write lane only until the server ends its transaction", async () => {
    const hanging = openDatabase(requireAddress(direct), "hangs");
    const [inLane, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const held = hanging.write(async (query) => {
      await query("SELECT 1");
      inLane.resolve();
      await over.promise;
    });
    await inLane.promise;
    expect((await keep(store, delivery())).delivery).toBeGreaterThan(0);
    over.resolve();
    expect(await rejection(held)).toMatchObject({ code: "unavailable" });
    await hanging.close();
  });

  test("refuses a schema that a newer version wrote", async () => {
    const database = openDatabase(requireAddress(direct), "test");
    const error = await rejection(migrate(database, []));
    await database.close();
    expect(error).toMatchObject({ code: "failed" });
    expect(error.message).toMatchSnapshot();
  });

  test("creates the schema once when several hosts start at the same time", async () => {
    const empty = await cluster.createDatabase();
    const stores = await Promise.all(
      ["web-1", "web-2", "web-3"].map((host) => openPostgres({ url: empty, host })),
    );
    expect(stores.map(({ host }) => host)).toEqual(["web-1", "web-2", "web-3"]);
    for (const each of stores) await each.close();
  });

  test("needs no right but that to its own schema", async () => {
    const own = await cluster.createDatabase();
    const owner = await connectAdmin(own);
    await owner.query("CREATE ROLE hooklatch LOGIN; CREATE SCHEMA hooklatch AUTHORIZATION hooklatch");
    await owner.query("REVOKE ALL ON SCHEMA public FROM PUBLIC");
    await owner.end();
    const least = await openPostgres({ url: own.replace("postgres@", "hooklatch@"), host: "web-1" });
    expect((await keep(least, delivery())).delivery).toBe(1);
    expect((await least.readStatistics()).bytes).toBeGreaterThan(0);
    await least.close();
  });

  test.each(["no database of this name", "no server"])("says what to do: %s", async (what) => {
    const wrong =
      what === "no server" ? "postgres://postgres@127.0.0.1:1/x" : direct.replace(/\w+$/, "missing");
    const error = await rejection(openPostgres({ url: wrong, host: "web-1" }));
    expect(error).toMatchObject({ code: "failed" });
    expect(words(error.message)).toMatchSnapshot();
  });
});

async function connectAdmin(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  return client;
}

describe("the URL of a database", () => {
  test.each([
    [
      "postgres://u:p%40ss@db.internal/hooklatch",
      { host: "db.internal", port: 5432, user: "u", password: "p@ss" },
    ],
    ["postgres://u@[::1]:6543/hooklatch", { host: "::1", port: 6543, ssl: false }],
    [
      "postgresql:///hooklatch?host=/run/postgresql&user=u",
      { host: "/run/postgresql", user: "u", ssl: false },
    ],
    ["postgres://db.internal/hooklatch", { ssl: { rejectUnauthorized: true, servername: "db.internal" } }],
    ["postgres://10.0.0.1/hooklatch?sslmode=verify-full", { ssl: { rejectUnauthorized: true } }],
    ["postgres://db.internal/hooklatch?sslmode=disable", { ssl: false }],
  ] as const)("%s is read", (url, address) => {
    expect(readDatabaseUrl(url)).toMatchObject({ kind: "address", address });
  });

  test.each([
    "mysql://db/hooklatch",
    "db.internal/hooklatch",
    "postgres://u:secret@db.internal/",
    "postgres:///hooklatch",
    "postgres://u:secret@db.internal/hooklatch?sslmode=require",
    "postgres://u:secret@db.internal/hooklatch?options=-c",
    "postgres://u:secret@db.internal/hooklatch?sslrootcert=/missing.pem",
    "postgres://u:secret%zz@db.internal/hooklatch",
    "postgres://u%:secret@db.internal/hooklatch",
    "postgres://u:secret@db.internal/%e0%",
    "postgres:///hooklatch?user=secret&host=db.internal&port=0",
    "postgres:///hooklatch?user=secret&host=db.internal&port=x",
  ])("%s is refused without repeating the password", (url) => {
    const read = readDatabaseUrl(url);
    if (read.kind === "address") throw new Error("it was taken");
    expect(read.problem).not.toContain("secret");
    expect(read.problem).toMatchSnapshot();
  });
});
