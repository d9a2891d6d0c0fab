import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Writes the payload's JSON to a file that only we can read, for as long as `use` takes, and hands its path on;
 * a payload never becomes part of a command line or of the environment, which are small and seen by others.
 */
export async function withPayloadFile<T>(
  directory: string,
  deployment: number,
  json: string | null,
  use: (path: string | null) => Promise<T>,
): Promise<T> {
  if (json === null) return use(null);
  const path = join(directory, `payload-${deployment}.json`);
  await rm(path, { force: true });
  await writeFile(path, json, { mode: 0o600, flag: "wx" });
  try {
    return await use(path);
  } finally {
    await rm(path, { force: true });
  }
}
