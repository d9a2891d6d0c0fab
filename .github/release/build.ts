import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, ROOT } from "./compile.ts";
import { fail, findPlatformsOrFail } from "./platforms.ts";
import { unpackRuntime } from "./runtimes.ts";

/** `bun run build [PLATFORM]`: writes dist/hooklatch, for this system or the named one. */
const names = process.argv.slice(2);
if (names.length > 1) fail("build writes one executable: name one platform, or use `bun run release`");
const [platform] = findPlatformsOrFail(names);
const outfile = join(ROOT, "dist/hooklatch");
if (platform === undefined) {
  await compile(outfile, null);
} else {
  const directory = mkdtempSync(join(tmpdir(), "hooklatch-build-"));
  try {
    await compile(outfile, { ...platform, executable: await unpackRuntime(platform, directory) });
  } finally {
    rmSync(directory, { recursive: true });
  }
}
console.log(`dist/hooklatch${platform?.suffix ?? ""}`);
