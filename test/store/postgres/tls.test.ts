import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import pg from "pg";
import { openPostgres } from "../../../src/store/postgres.ts";
import { makeCertificate } from "../../support/certificate.ts";
import { type Cluster, HAS_POSTGRES, startCluster } from "../../support/postgres.ts";
import { words } from "../../support/words.ts";
import { makeDirectory } from "../directory.ts";
import { delivery, keep, rejection } from "../sample.ts";

setDefaultTimeout(120_000);

describe.skipIf(!HAS_POSTGRES)("TLS to Postgres", () => {
  let cluster: Cluster;
  let directory: Awaited<ReturnType<typeof makeDirectory>>;
  let url: string;
  let root: string;

  beforeAll(async () => {
    directory = await makeDirectory();
    const pair = makeCertificate(directory.path, "db");
    cluster = await startCluster({ tls: pair });
    url = await cluster.createDatabase();
    root = `sslrootcert=${pair.cert}`;
  });
  afterAll(async () => {
    await cluster.stop();
    await directory.remove();
  });

  test("verifies the certificate and the name, on every connection", async () => {
    const store = await openPostgres({ url: `${url}?sslmode=verify-full&${root}`, host: "web-1" });
    await keep(store, delivery());
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    const { rows } = await admin.query<{ ssl: boolean }>(
      "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name LIKE 'hooklatch%'",
    );
    await admin.end();
    await store.close();
    expect(rows.length).toBeGreaterThan(1);
    expect(rows.filter(({ ssl }) => !ssl)).toEqual([]);
  });

  test.each([
    ["of an unknown CA", (secure: string) => secure],
    ["for another name", (secure: string) => `${secure.replace("127.0.0.1", "127.0.0.2")}&${root}`],
  ])("refuses a certificate %s", async (_, change) => {
    const error = await rejection(openPostgres({ url: change(`${url}?sslmode=verify-full`), host: "web-2" }));
    expect(error).toMatchObject({ code: "failed" });
    expect(words(error.message)).toMatchSnapshot();
  });
});

describe.skipIf(!HAS_POSTGRES)("a server without TLS", () => {
  test("is refused where TLS is expected", async () => {
    const cluster = await startCluster();
    const url = await cluster.createDatabase();
    const error = await rejection(openPostgres({ url: `${url}?sslmode=verify-full`, host: "web-1" }));
    await cluster.stop();
    expect(error).toMatchObject({ code: "failed" });
    expect(words(error.message)).toMatchSnapshot();
  });
});
