import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { Fault } from "../domain/fault.ts";
import type { Config } from "./load.ts";
import { makeNewFile } from "./new-file.ts";

/**
 * Makes the data directory, and the secrets that nothing sets and that were not made before, and fills them in.
 * Returns what was made, for the log. Throws a {@link Fault} `failed` when one cannot be kept.
 */
export function generateSecrets(config: Config): readonly { readonly what: string; readonly file: string }[] {
  attempt(`make the data directory ${config.dataDir}`, () => claimDirectory(config.dataDir));
  const made: { what: string; file: string }[] = [];
  for (const { what, secret, file } of config.generated) {
    if (secret.loaded) continue;
    const { value, isNew } = attempt(`keep the ${what} in ${file}`, () => provideSecretFile(file));
    secret.load(value);
    if (isNew) made.push({ what, file });
  }
  return made;
}

/**
 * Writes a fresh secret, 32 bytes of the system's generator as hex, to a new file that only its owner may read, and
 * gives it once it is on disk; or what the file holds, where it is there already: another server that starts at the same
 * moment may have made it.
 */
export function provideSecretFile(file: string): { readonly value: string; readonly isNew: boolean } {
  const value = randomBytes(32).toString("hex");
  makePrivateDirectory(dirname(file));
  const isNew = makeNewFile(file, `${value}\n`, 0o600);
  return { value: isNew ? value : readWhole(file), isNew };
}

function readWhole(file: string): string {
  const value = readFileSync(file, "utf8").trim();
  if (value === "") throw new Error("it is empty: remove the file, and a new one is made");
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
