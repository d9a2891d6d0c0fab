import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "./compile.ts";
import { readLockFile } from "./lock-file.ts";
import type { Platform } from "./platforms.ts";

/** Where downloaded packages stay for the next build. */
const CACHE = join(ROOT, "node_modules/.cache/bun-runtimes");

/**
 * Writes the Bun of a platform to a file below `directory` and returns its path. It comes from npm; the package must have
 * the integrity that `bun.lock` pins.
 */
export async function unpackRuntime(platform: Platform, directory: string): Promise<string> {
  const archive = new Bun.Archive(await readPackage(platform.runtime));
  const name = `package/bin/bun${platform.suffix}`;
  const executable = (await archive.files()).get(name);
  if (executable === undefined) throw new Error(`${platform.runtime} has no ${name}`);
  const file = join(directory, platform.name, `bun${platform.suffix}`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, new Uint8Array(await executable.arrayBuffer()));
  chmodSync(file, 0o755);
  return file;
}

async function readPackage(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const { version, integrity } = readLockFile(ROOT).get(name);
  const file = join(CACHE, `${name.slice(1).replace("/", "-")}-${version}.tgz`);
  if (!existsSync(file)) await download(`${name}@${version}`);
  const bytes = readFileSync(file);
  try {
    verifyIntegrity(bytes, integrity, `${name}@${version}`);
  } catch (error) {
    rmSync(file);
    throw error;
  }
  return bytes;
}

/** Throws when the bytes are not those that the lock file pins. */
export function verifyIntegrity(bytes: Uint8Array, integrity: string, name: string): void {
  const actual = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
  if (actual !== integrity)
    throw new Error(`${name} has the integrity ${actual}, not ${integrity} of bun.lock`);
}

/** npm uses the registry and the proxy that it is configured for. */
async function download(id: string): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const argv = [npm, "pack", "--silent", "--pack-destination", CACHE, id];
  const pack = Bun.spawn(argv, { stdout: "ignore", stderr: "pipe" });
  const problem = await pack.stderr.text();
  if ((await pack.exited) !== 0) throw new Error(`npm could not download ${id}:\n${problem}`);
}
