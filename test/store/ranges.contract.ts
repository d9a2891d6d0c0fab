import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { OpenedStore } from "./opened-store.ts";
import { at } from "./sample.ts";

/** The contract of every store for published IP ranges. */
export function rangesContract(open: () => Promise<OpenedStore>): void {
  describe("storing published IP ranges", () => {
    let opened: OpenedStore;

    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened.close());

    test("returns null before the first list is stored", async () => {
      expect(await opened.store.readRanges("github")).toBeNull();
    });

    test("returns the last stored list, even after a restart", async () => {
      await opened.store.storeRanges("github", ["192.0.2.0/24"], at(1));
      await opened.store.storeRanges("github", ["198.51.100.0/24", "2001:db8::/32"], at(2));
      const store = await opened.reopen();
      expect(await store.readRanges("github")).toEqual({
        ranges: ["198.51.100.0/24", "2001:db8::/32"],
        at: at(2),
      });
    });
  });
}
