import { setDefaultTimeout } from "bun:test";
import { stores } from "../../src/store/index.ts";
import { makeDirectory } from "./directory.ts";
import { storeContract } from "./store.contract.ts";

setDefaultTimeout(120_000);

for (const [name, open] of Object.entries(stores)) {
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
