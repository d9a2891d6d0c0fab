import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isPossible, SmallDisk } from "../support/small-disk.ts";
import { Site } from "./site.ts";

setDefaultTimeout(120_000);

/** Bytes of the files in a directory, each counted once. */
function usage(directory: string): number {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((each) =>
    each.isFile(),
  );
  const stats = files.map(({ parentPath, name }) => statSync(join(parentPath, name)));
  return [...new Map(stats.map(({ ino, size }) => [ino, size])).values()].reduce(
    (sum, size) => sum + size,
    0,
  );
}

const LITTER = /(?:\.lock$|\/\.?tmp[-_]|\/\.going|\/\.coming)/;

for (const layout of ["releases", "worktree"]) {
  describe.skipIf(!isPossible.small)(`layout ${layout} on a small disk (needs to mount)`, () => {
    let site: Site;
    let disk: SmallDisk;
    beforeEach(() => {
      disk = new SmallDisk(4);
      site = new Site(layout, join(disk.path, "site"));
      site.repository.commit({ "index.html": "one" });
    });
    afterEach(() => {
      disk.unmount();
      site.remove();
    });

    const page = () => readFileSync(join(site.live, "index.html"), "utf8");

    test.each([
      ["the fetch", randomBytes(8_000_000).toString("latin1")],
      // It is compressed to almost nothing.
      ["the checkout", "a line\n".repeat(1_000_000)],
    ])("recovers by itself when %s found no room", async (_, large) => {
      await site.deploy();
      const before = usage(site.directory);
      writeFileSync(join(site.repository.path, "large"), large, "latin1");
      site.repository.commitAll();
      const failed = await site.deploy();
      expect(failed).toMatchObject({ state: "failed", code: "disk_full" });
      expect(failed.reason).toContain("No space left on device");
      expect(page()).toBe("one");
      const left = readdirSync(site.directory, { recursive: true }).map(String);
      expect(left.filter((path) => LITTER.test(`/${path}`))).toEqual([]);
      // What was fetched completely stays, which is small here.
      expect(usage(site.directory) - before).toBeLessThan(50_000);

      site.repository.git("reset", "--hard", "--quiet", "HEAD~1");
      site.repository.commit({ "index.html": "small" });
      expect(await site.deploy()).toMatchObject({ state: "succeeded", reason: null });
      expect(page()).toBe("small");
    });
  });
}
