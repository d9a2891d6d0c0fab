import { setDefaultTimeout } from "bun:test";
import type { Store } from "../../src/domain/store.ts";
import { stores } from "../../src/store/index.ts";
import { startTestThread } from "../support/store-thread.ts";
import { makeDirectory } from "./directory.ts";
import { storeContract } from "./store.contract.ts";

setDefaultTimeout(120_000);

const implementations: Readonly<Record<string, (dataDirectory: string) => Promise<Store>>> = {
  ...stores,
  "sqlite, in a thread,": (dataDirectory) => startTestThread().open(dataDirectory),
};

for (const [name, open] of Object.entries(implementations)) {
  storeContract(name, async () => {
    const directory = await makeDirectory();
    let store = await open(directory.path);
    return {
      store,
      async reopen() {
        await store.close();
        store = await open(directory.path);
        return store;
      },
      async close() {
        await store.close();
        await directory.remove();
      },
    };
  });
}
