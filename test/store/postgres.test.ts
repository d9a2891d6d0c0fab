import { afterAll, beforeAll, describe, setDefaultTimeout, test } from "bun:test";
import { openPostgres } from "../../src/store/postgres.ts";
import { type Cluster, HAS_POSTGRES, LONG_LEASE, startCluster } from "../support/postgres.ts";
import { storeContract } from "./store.contract.ts";

setDefaultTimeout(120_000);

if (HAS_POSTGRES) {
  let cluster: Cluster;
  let url: string;
  beforeAll(async () => {
    cluster = await startCluster();
    url = await cluster.createDatabase(LONG_LEASE);
    await (await openPostgres({ url, host: "web-1" })).close();
  });
  afterAll(() => cluster.stop());

  storeContract("postgres", async () => {
    await cluster.empty(url);
    const place = { url, host: "web-1" };
    let store = await openPostgres(place);
    return {
      store,
      async reopen() {
        await store.close();
        store = await openPostgres(place);
        return store;
      },
      close: () => store.close(),
    };
  });
} else {
  describe("postgres store", () => {
    test.skip("needs PostgreSQL: apt-get install postgresql", () => {});
  });
}
