import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backUps, stores } from "../../../src/store/index.ts";
import { words } from "../../support/words.ts";
import { delivery, keep } from "../sample.ts";

let root: string;
let data: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
  data = join(root, "data");
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const fail = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    return words(String(error)).replaceAll(root, "<root>");
  }
  throw new Error("nothing was thrown");
};

describe("a backup", () => {
  test("has every delivery of an open store, is private, and opens as a store", async () => {
    const store = await stores.sqlite(data);
    // The first is alone in its commit. The bodies of the others share a block.
    const keepAll = (...ids: readonly string[]) =>
      ids.map((id) => keep(store, delivery({ identity: { id, hook: null }, body: Buffer.from(id) })));
    await Promise.all(keepAll("1"));
    await Promise.all(keepAll("2", "3"));
    const copy = join(root, "restored/hooklatch.db");
    await (await stores.sqlite(join(root, "restored"))).close();
    rmSync(copy);
    const bytes = backUps.sqlite(data, copy);
    expect(statSync(copy)).toMatchObject({ size: bytes });
    expect(statSync(copy).mode & 0o777).toBe(0o600);
    await store.close();
    const restored = await stores.sqlite(join(root, "restored"));
    for (const id of [1, 2, 3]) {
      expect(Buffer.from((await restored.readDelivery(id))?.body ?? []).toString()).toBe(String(id));
    }
    expect(await restored.readDelivery(4)).toBeNull();
    await restored.close();
  });

  test("replaces no file, and leaves none when it fails", async () => {
    await (await stores.sqlite(data)).close();
    const taken = join(root, "taken");
    writeFileSync(taken, "mine");
    const messages = [
      fail(() => backUps.sqlite(data, taken)),
      fail(() => backUps.sqlite(data, join(root, "missing/copy"))),
      fail(() => backUps.sqlite(join(root, "none"), join(root, "copy"))),
    ];
    writeFileSync(join(data, "hooklatch.db"), "not a database, but a text of some length".repeat(100));
    messages.push(fail(() => backUps.sqlite(data, join(root, "copy"))));
    expect(messages).toMatchSnapshot();
    expect(readFileSync(taken, "utf8")).toBe("mine");
    expect(readdirSync(root).toSorted()).toEqual(["data", "taken"]);
  });

  test.skipIf(process.getuid?.() === 0)("names the file that the user may not read", async () => {
    await (await stores.sqlite(data)).close();
    chmodSync(join(data, "hooklatch.db"), 0o000);
    expect(fail(() => backUps.sqlite(data, join(root, "copy")))).toContain("hooklatch.db");
  });
});
