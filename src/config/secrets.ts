import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { createFileAtomically } from "../lib/atomic-file.ts";
import { AppError } from "../lib/errors.ts";
import { parseSecretOrigin, Secret, type SecretOrigin } from "../lib/secret.ts";
import type { Config } from "./load.ts";
import { type Environment, isSet, type ReadContext } from "./read/context.ts";
import { describeIssue, IssueList, type Place } from "./read/issues.ts";
import { readText } from "./read/toml.ts";

/** A secret that nothing sets: kept in a file of the data directory, and made when that is not there yet. */
export interface GeneratedSecret {
  /** In words for people, such as `verify token of source webhook`. */
  readonly what: string;
  /** The name of the source that it belongs to; null for the admin token. */
  readonly source: string | null;
  readonly secret: Secret;
  /** Absolute. */
  readonly file: string;
}

/** Shorter ones can be guessed: 16 bytes are 128 bits at best. */
const FEWEST_BYTES = 16;

type Value = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problem: string };

/** Fills in a secret from where it comes from. What is missing, unreadable or empty is a fault at `place`. */
export function loadSecret(secret: Secret, place: Place, ground: ReadContext): void {
  if (!loadValue(secret, place, ground)) return;
  warnOfLiteral(secret, place, ground);
  if (Buffer.byteLength(secret.reveal()) < FEWEST_BYTES) {
    ground.report.warn(place, `the secret is shorter than ${FEWEST_BYTES} bytes and may be guessed`);
  }
}

/** The same for a token that is sent in a header: one with control characters in it is a fault. */
export function loadToken(token: Secret, place: Place, ground: ReadContext): void {
  loadSecret(token, place, ground);
  if (token.loaded && /\p{Cc}/u.test(token.reveal())) {
    ground.report.fault(place, `expected a token of one line, without control characters, in ${token}`);
  }
}

/** Fills in what need not be hard to guess. Whether there was a value; where there was none, it is a fault. */
export function loadValue(secret: Secret, place: Place, ground: ReadContext): boolean {
  const value = findValue(secret.origin, ground);
  if (!value.ok || value.text === "") {
    ground.report.fault(place, value.ok ? `the secret ${secret} is empty` : value.problem);
    return false;
  }
  secret.load(value.text);
  return true;
}

/** Warns of a secret that stands in the configuration itself. */
export function warnOfLiteral({ origin }: Secret, place: Place, { report }: ReadContext): void {
  if (origin.kind !== "literal") return;
  report.warn(
    place,
    'the secret is written out here, for every reader of this file: better "file:PATH" or "env:NAME"',
  );
}

/** Reads one secret that a command line names. Throws a {@link AppError} `configuration` that says what is wrong. */
export function readSecret(text: string, option: string, surroundings: Environment): Secret {
  const secret = new Secret(parseSecretOrigin(text));
  const report = new IssueList();
  loadSecret(secret, { file: option, path: "" }, { ...surroundings, directory: surroundings.cwd, report });
  const [fault] = report.faults;
  if (fault !== undefined) throw new AppError("configuration", describeIssue(fault));
  return secret;
}

/**
 * A secret of our own making, kept as `<data directory>/secrets/<name>`. Loads it where it was made before and
 * leaves it unloaded otherwise. What is there and has no secret in it is a fault.
 */
export function storeSecret(
  { what, source, name }: { what: string; source: string | null; name: string },
  dataDir: string,
  ground: ReadContext,
): GeneratedSecret {
  const file = join(dataDir, "secrets", name);
  const secret = new Secret({ kind: "file", name: file });
  const kept = readText(file);
  const place: Place = { file, path: "" };
  if (kept.ok && dropNewline(kept.text) !== "") secret.load(dropNewline(kept.text));
  else if (kept.ok)
    ground.report.fault(place, `the ${what} is empty: remove the file, and a new one is made`);
  else if (!kept.missing) ground.report.fault(place, `the ${what} ${kept.problem}`);
  return { what, source, secret, file };
}

function findValue(origin: SecretOrigin, ground: ReadContext): Value {
  switch (origin.kind) {
    case "literal":
      return { ok: true, text: origin.value };
    case "env":
      return findVariable(origin.name, ground);
    case "file":
      if (origin.name === "") return { ok: false, problem: 'expected "file:PATH", found no path' };
      return findFile(resolve(ground.directory, origin.name), `file:${origin.name}`);
    case "credential":
      return findCredential(origin.name, ground);
  }
}

function findVariable(name: string, ground: ReadContext): Value {
  // A text that can be no name may be the secret itself, so it is not repeated.
  if (!/^[A-Za-z_]\w*$/.test(name)) {
    return { ok: false, problem: 'expected "env:NAME" with the name of an environment variable' };
  }
  if (!isSet(name, ground)) return { ok: false, problem: `the environment variable ${name} is not set` };
  return { ok: true, text: ground.env[name] ?? "" };
}

function findCredential(name: string, ground: ReadContext): Value {
  if (!/^[^/\0]+$/.test(name) || name === "." || name === "..") {
    return { ok: false, problem: 'expected "credential:NAME" with the name of a file' };
  }
  const directory = ground.env.CREDENTIALS_DIRECTORY ?? "";
  if (!isAbsolute(directory)) {
    return {
      ok: false,
      problem: `credential:${name} needs $CREDENTIALS_DIRECTORY, which systemd sets for LoadCredential=; by hand: CREDENTIALS_DIRECTORY=/run/credentials/hooklatch.service while the service runs, or the directory where the files lie`,
    };
  }
  return findFile(join(directory, name), `credential:${name}`);
}

function findFile(file: string, written: string): Value {
  const found = readText(file);
  return found.ok
    ? { ok: true, text: dropNewline(found.text) }
    : { ok: false, problem: `${written} ${found.problem}` };
}

/** Editors and `echo` end a file with a newline that is no part of the secret. */
function dropNewline(text: string): string {
  return text.replace(/\r?\n$/, "");
}

/**
 * Makes the data directory, and the secrets that nothing sets and that were not made before, and fills them in.
 * Returns what was made, for the log. Throws a {@link AppError} `failed` when one cannot be kept.
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
  const isNew = createFileAtomically(file, `${value}\n`, 0o600);
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
    throw new AppError("failed", `cannot ${what}: ${error instanceof Error ? error.message : error}`, error);
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
