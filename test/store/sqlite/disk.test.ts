import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, open, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NewDelivery } from "../../../src/domain/delivery.ts";
import type { Store } from "../../../src/domain/store.ts";
import { openSqlite } from "../../../src/store/sqlite/index.ts";
import { words } from "../../support/words.ts";
import { makeDirectory } from "../directory.ts";
import { at, COMMIT_A, delivery, keep, options, pushFor } from "../sample.ts";

setDefaultTimeout(120_000);

let directory: Awaited<ReturnType<typeof makeDirectory>>;

beforeEach(async () => {
  directory = await makeDirectory();
});
afterEach(() => directory.remove());

const isRoot = process.getuid?.() === 0;
const mountOptions = ["-t", "tmpfs", "-o", "size=4m", "tmpfs"];

/** Whether this process may mount a small disk. In most containers root may not. */
const mayMount = isRoot && (await tryToMount());

async function tryToMount(): Promise<boolean> {
  const { path, remove } = await makeDirectory();
  const mounted = spawnSync("mount", [...mountOptions, path]).status === 0;
  if (mounted) spawnSync("umount", [path]);
  await remove();
  return mounted;
}

/** A push whose body does not compress. */
const bulky = () => ({ ...pushFor("blog"), body: randomBytes(8000) });

describe("a disk that fills up", () => {
  const name = "rejects writes, serves reads, and accepts writes again without a restart when there is space";
  const because = mayMount ? "" : " (skipped: it needs root that may mount a tmpfs)";
  test.skipIf(!mayMount)(`${name}${because}`, async () => {
    const disk = join(directory.path, "disk");
    await mkdir(disk);
    expect(spawnSync("mount", [...mountOptions, disk]).status).toBe(0);
    try {
      // Another file takes half of the space.
      await writeFile(join(disk, "other"), Buffer.alloc(2 * 1024 * 1024));
      const store = await openSqlite(join(disk, "data"));
      try {
        const ids = await fillUp(store, 4, bulky);
        expect(ids.length).toBeGreaterThan(10);
        // A rejected group leaves free space, in the store's files and beside them, that small writes fit into.
        await expect(writeFile(join(disk, "rest"), Buffer.alloc(2 * 1024 * 1024))).rejects.toThrow("ENOSPC");
        ids.push(...(await fillUp(store, 1, () => pushFor("blog"))));
        for (const id of ids) expect(await store.readDelivery(id)).not.toBeNull();
        const retention = { deliveriesBefore: at(1), deploymentsBefore: at(1), limit: 1000 };
        await expect(store.prune(retention)).rejects.toMatchObject({ code: "unavailable" });

        await rm(join(disk, "other"));
        const later = await keep(store, bulky(), { pushedCommit: COMMIT_A });
        expect(later.delivery).toBe((ids.at(-1) ?? 0) + 1);
        expect(await store.prune(retention)).toBeGreaterThan(0);
      } finally {
        await store.close();
      }
      const again = await openSqlite(join(disk, "data"));
      expect(await keep(again, bulky())).toMatchObject({ redeliveryOf: null });
      await again.close();
    } finally {
      expect(spawnSync("umount", [disk]).status).toBe(0);
    }
  });

  /** Stores deliveries in groups of `size` until a whole group is rejected. Returns the ids of the stored ones. */
  async function fillUp(store: Store, size: number, make: () => NewDelivery): Promise<number[]> {
    const ids: number[] = [];
    for (;;) {
      const group = await Promise.allSettled(
        Array.from({ length: size }, () => store.accept(make(), options({ pushedCommit: COMMIT_A }))),
      );
      const rejected = group.filter((one) => one.status === "rejected");
      if (rejected.length > 0) {
        expect(rejected).toHaveLength(size);
        for (const { reason } of rejected) expect(reason).toMatchObject({ code: "unavailable" });
        expect([...new Set(rejected.map(({ reason }) => reason.message))]).toMatchSnapshot();
        return ids;
      }
      for (const one of group) {
        if (one.status === "fulfilled" && one.value.kind === "stored") ids.push(one.value.delivery);
      }
    }
  }
});

describe("a file that is damaged while it is open", () => {
  test("is reported with a remedy by every read of a damaged part", async () => {
    let store = await openSqlite(directory.path);
    const ids: number[] = [];
    for (let n = 0; n < 40; n += 1) {
      ids.push((await keep(store, delivery({ body: randomBytes(8000) }))).delivery);
    }
    await store.close();
    store = await openSqlite(directory.path);
    const file = join(directory.path, "hooklatch.db");
    await overwrite(file, 100_000);

    const reads = await Promise.allSettled(ids.map((id) => store.readDelivery(id)));
    const errors = reads.filter((read) => read.status === "rejected").map(({ reason }) => reason);
    expect(errors.length).toBeGreaterThan(0);
    const messages = new Set<string>();
    for (const error of errors) {
      expect(error).toMatchObject({ code: "unavailable", cause: { name: "SQLiteError" } });
      expect(error.message).toContain(file);
      messages.add(words(error.message, { [file]: "<database>" }));
    }
    expect([...messages]).toMatchSnapshot();
    await store.close();
  });

  /** Overwrites a file with invalid data from an offset. */
  async function overwrite(file: string, from: number): Promise<void> {
    const { size } = await stat(file);
    const handle = await open(file, "r+");
    await handle.write(Buffer.alloc(size - from, 0xff), 0, size - from, from);
    await handle.close();
  }
});

describe("too many pending deliveries", () => {
  test("are rejected beyond a number of deliveries, and later ones are accepted again", async () => {
    const store = await openSqlite(directory.path);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 4097 }, () => store.accept(delivery(), options())),
    );
    expect(outcomes.slice(0, -1).every(({ status }) => status === "fulfilled")).toBe(true);
    const last = outcomes.at(-1);
    expect(last).toMatchObject({ status: "rejected", reason: { code: "unavailable" } });
    expect(last?.status === "rejected" && last.reason.message).toMatchSnapshot();
    expect(await keep(store, delivery())).toMatchObject({ delivery: 4097 });
    await store.close();
  });

  test("are rejected beyond a number of bytes, and later ones are accepted again", async () => {
    const store = await openSqlite(directory.path);
    const large = delivery({ body: new Uint8Array(25 * 1024 * 1024) });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 6 }, () => store.accept(large, options())),
    );
    expect(outcomes.map(({ status }) => status)).toEqual([...Array(5).fill("fulfilled"), "rejected"]);
    expect(await keep(store, large)).toMatchObject({ delivery: 6 });
    await store.close();
  });
});
