import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { engines, version } from "../../package.json";
import { compile, ROOT } from "./compile.ts";
import { createDeb, hasDpkg } from "./deb.ts";
import { describeLicenses } from "./licenses.ts";
import { findPlatformsOrFail, PLATFORMS, type Platform } from "./platforms.ts";
import { unpackRuntime } from "./runtimes.ts";
import { describeComponents } from "./sbom.ts";

/** The platforms with a Debian package, and Debian's names of their architectures. */
const DEBS = [
  ["linux-x64", "amd64"],
  ["linux-arm64", "arm64"],
] as const;

const OUT = join(ROOT, "dist/release");

/**
 * `bun run release [PLATFORM...]`: writes the files of a release to dist/release. The result depends on the sources and
 * on the time of the release only: $SOURCE_DATE_EPOCH, else the last commit.
 */
async function release(platforms: readonly Platform[], time: Date): Promise<void> {
  if (Bun.version !== engines.bun) throw new Error(`a release needs Bun ${engines.bun}, not ${Bun.version}`);
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  const work = mkdtempSync(join(ROOT, "dist/release-"));
  try {
    const files: string[] = [];
    const add = (name: string) => {
      files.push(name);
      console.log(`dist/release/${name}`);
    };
    for (const platform of platforms) {
      const name = `hooklatch-${version}-${platform.name}${platform.suffix}`;
      const outfile = join(work, platform.name, "hooklatch");
      await compile(outfile, { ...platform, executable: await unpackRuntime(platform, work) });
      renameSync(outfile + platform.suffix, join(OUT, name));
      add(name);
    }
    for (const [platform, architecture] of DEBS) {
      const executable = join(OUT, `hooklatch-${version}-${platform}`);
      if (!files.includes(basename(executable))) continue;
      if (hasDpkg) add(await createDeb({ version, architecture, executable, time, out: OUT }));
      else console.error(`skipped the package for ${architecture}: dpkg-deb is missing`);
    }
    const licenses = `hooklatch-${version}-licenses.txt`;
    writeFileSync(join(OUT, licenses), describeLicenses());
    add(licenses);
    const components = `hooklatch-${version}.cdx.json`;
    writeFileSync(join(OUT, components), describeComponents(version, time));
    add(components);
    writeFileSync(join(OUT, "SHA256SUMS"), files.sort().map(describeSum).join(""));
    add("SHA256SUMS");
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A line that `sha256sum --check` reads. */
function describeSum(name: string): string {
  const sum = createHash("sha256")
    .update(readFileSync(join(OUT, name)))
    .digest("hex");
  return `${sum}  ${name}\n`;
}

function releaseTime(): Date {
  const epoch =
    process.env.SOURCE_DATE_EPOCH ??
    Bun.spawnSync(["git", "log", "-1", "--format=%ct"], { cwd: ROOT }).stdout.toString().trim();
  if (!/^\d+$/.test(epoch)) throw new Error("set SOURCE_DATE_EPOCH: this is not a git repository");
  return new Date(Number(epoch) * 1000);
}

const names = process.argv.slice(2);
await release(names.length > 0 ? findPlatformsOrFail(names) : PLATFORMS, releaseTime());
