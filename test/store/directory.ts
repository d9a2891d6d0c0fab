import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Makes a temporary directory for one test. */
export async function makeDirectory(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "hooklatch-store-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
