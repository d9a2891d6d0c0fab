import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { Fault } from "../domain/fault.ts";
import type { Config } from "./load.ts";

/**
 * Makes the data directory, and the secrets that nothing sets and that were not made before, and fills them in.
 * Returns what was made, for the log. Throws a {@link Fault} `failed` when one cannot be kept.
 */
export function generateSecrets(config: Config): readonly { readonly what: string; readonly file: string }[] {
  attempt(`make the data directory ${config.dataDir}`, () => claimDirectory(config.dataDir));
  const made: { what: string; file: string }[] = [];
  for (const { what, secret, file } of config.generated) {
    if (secret.loaded) continue;
    secret.load(attempt(`keep the ${what} in ${file}`, () => createSecretFile(file)));
    made.push({ what, file });
  }
  return made;
}

/**
 * Writes a fresh secret, 32 bytes of the system's generator as hex, to a new file that only its owner may read,
 * and returns it once it is on disk. Throws when the file is there already.
 */
export function createSecretFile(file: string): string {
  const value = randomBytes(32).toString("hex");
  makePrivateDirectory(dirname(file));
  const descriptor = openSync(file, "wx", 0o600);
  try {
    writeSync(descriptor, `${value}\n`);
    fsyncSync(descriptor);
  } catch (error) {
    // Half a secret would be taken for a whole one at the next start.
    rmSync(file, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
  syncDirectory(dirname(file));
  return value;
}

function attempt<Result>(what: string, act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    throw new Fault("failed", `cannot ${what}: ${error instanceof Error ? error.message : error}`, error);
  }
}

/** Makes the directory; one that is there and empty becomes ours alone, one with files keeps its mode. */
function claimDirectory(directory: string): void {
  makePrivateDirectory(directory);
  if (readdirSync(directory).length === 0) chmodSync(directory, 0o700);
}

function makePrivateDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
}

/** Without this a new file's name may be lost with the power, though its content is on disk (fsync(2)). */
function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
