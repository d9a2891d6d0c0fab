import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { codeOf, Fault } from "../domain/fault.ts";
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
    const { value, isNew } = attempt(`keep the ${what} in ${file}`, () => provideSecretFile(file));
    secret.load(value);
    if (isNew) made.push({ what, file });
  }
  return made;
}

/**
 * Writes a fresh secret, 32 bytes of the system's generator as hex, to a new file that only its owner may read, and
 * gives it once it is on disk; or what the file holds, where it is there already. The file has its name only when it is
 * whole: an empty one, left by a crash in between, would stop every start until somebody removed it.
 */
export function provideSecretFile(file: string): { readonly value: string; readonly isNew: boolean } {
  const value = randomBytes(32).toString("hex");
  makePrivateDirectory(dirname(file));
  const draft = `${file}.${randomBytes(6).toString("hex")}.new`;
  try {
    writeFlushed(draft, `${value}\n`);
    // Unlike a rename this never replaces the file of another server that starts at the same moment.
    linkSync(draft, file);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    return { value: readWhole(file), isNew: false };
  } finally {
    rmSync(draft, { force: true });
  }
  syncDirectory(dirname(file));
  return { value, isNew: true };
}

function readWhole(file: string): string {
  const value = readFileSync(file, "utf8").trim();
  if (value === "") throw new Error("it is empty: remove the file, and a new one is made");
  return value;
}

function writeFlushed(file: string, text: string): void {
  const descriptor = openSync(file, "wx", 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
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
