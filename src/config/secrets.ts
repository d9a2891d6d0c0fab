import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { createFileAtomically } from "../lib/atomic-file.ts";
import { AppError, errorMessage } from "../lib/errors.ts";
import { parseSecretOrigin, Secret, type SecretOrigin } from "../lib/secret.ts";
import { type Environment, isSet, type ReadContext } from "./read/context.ts";
import { child, describeIssue, type IssueCode, IssueList, isTable, type Place } from "./read/issues.ts";
import { describeExpansion, needsShell } from "./read/paths.ts";
import { readText } from "./read/toml.ts";

/** The form of secrets that need none in particular. */
export const formatHex: GeneratedSecret["format"] = (bytes) => bytes.toString("hex");

/** A secret that nothing sets. The first start generates it in a file of the data directory. */
export interface GeneratedSecret {
  /** For people, such as `verify token of source webhook`. */
  readonly what: string;
  /** The name of its source; null for the admin token. */
  readonly source: string | null;
  /** Not loaded before the first start. */
  readonly secret: Secret;
  /** Absolute. */
  readonly file: string;
  /** Writes 32 random bytes as text. */
  readonly format: (bytes: Buffer) => string;
}

/** 16 bytes have at most 128 bits; shorter secrets can be guessed. */
const MIN_BYTES = 16;

/**
 * Loads a secret from its origin. A missing, unreadable or empty one is a fault at `place`, a short one a warning.
 *
 * @param hint completes the fault of a missing one with where it comes from.
 */
export function loadSecret(secret: Secret, place: Place, context: ReadContext, hint = ""): void {
  if (!loadValue(secret, place, context, hint)) return;
  if (isQuoted(secret.reveal())) {
    context.issues.warn(
      place,
      `the value of ${secret} is in quotes, which are part of the secret: remove them unless the sender uses them too`,
    );
  }
  warnOfLiteral(secret, place, context);
  if (Buffer.byteLength(secret.reveal()) < MIN_BYTES) {
    context.issues.warn(
      place,
      `the secret is shorter than ${MIN_BYTES} bytes and can be guessed: use a longer one`,
    );
  }
}

/** Loads a token that is sent in a header, where control characters are a fault. */
export function loadToken(token: Secret, place: Place, context: ReadContext): void {
  loadSecret(token, place, context);
  if (token.loaded && /\p{Cc}/u.test(token.reveal())) {
    context.issues.fault(place, `the value of ${token} must be one line without control characters`);
  }
}

/** Loads a value that may be short. Returns false, and adds a fault, when there is none. */
export function loadValue(secret: Secret, place: Place, context: ReadContext, hint = ""): boolean {
  const found = findValue(secret.origin, context);
  // Editors, `echo` and Kubernetes end a value with a newline. No sender signs with white space around its secret.
  const text = found.kind === "text" ? found.text.trim() : "";
  if (secret.origin.kind === "literal" && isUnexpanded(text)) {
    context.issues.fault(
      place,
      'the secret looks like a variable that was not expanded: write "env:NAME" to read an environment variable',
    );
    return false;
  }
  if (text !== "") {
    secret.load(text);
    return true;
  }
  if (found.kind === "text") context.issues.fault(place, `the secret ${secret} is empty${hint}`);
  else context.issues.fault(place, `${found.problem}${hint}`, found.code);
  return false;
}

/** Whether a value is in quotation marks, which `docker run --env-file` keeps. */
function isQuoted(text: string): boolean {
  return /^(["']).+\1$/s.test(text);
}

/** Whether a value is `$NAME`, `${NAME}`, Caddy's `{$NAME}` or a template's `{{ … }}`. */
function isUnexpanded(text: string): boolean {
  return /^(?:\$[A-Za-z_]\w*|\$\{[^}]*\}|\{\$[^}]*\}|\{\{.*\}\})$/s.test(text);
}

/** Warns of a secret that is written in the configuration itself. */
export function warnOfLiteral({ origin }: Secret, place: Place, { issues }: ReadContext): void {
  if (origin.kind !== "literal") return;
  issues.warn(place, 'the secret is readable in this file: use "file:PATH" or "env:NAME" instead');
}

/** Reads a secret that a command line option names. Throws an {@link AppError} `configuration` when that fails. */
export function readSecret(text: string, option: string, environment: Environment): Secret {
  const secret = new Secret(parseSecretOrigin(text));
  const issues = new IssueList();
  loadSecret(secret, { file: option, path: "" }, { ...environment, directory: environment.cwd, issues });
  const [fault] = issues.faults;
  if (fault !== undefined) throw new AppError("configuration", describeIssue(fault));
  return secret;
}

/** Every secret in a setting, at any depth, and its place. */
export function findSecrets(value: unknown, place: Place): readonly (readonly [Secret, Place])[] {
  if (value instanceof Secret) return [[value, place]];
  if (Array.isArray(value)) return value.flatMap((entry, index) => findSecrets(entry, child(place, index)));
  if (!isTable(value)) return [];
  return Object.entries(value).flatMap(([key, entry]) => findSecrets(entry, child(place, key)));
}

/**
 * Finds a generated secret in `<data directory>/secrets/<name>` and loads it, or leaves it unloaded when it is not
 * generated yet. An unreadable or empty file is a fault.
 */
export function findGeneratedSecret(
  {
    what,
    source,
    name,
    format,
  }: Pick<GeneratedSecret, "what" | "source" | "format"> & { readonly name: string },
  dataDir: string,
  { issues }: ReadContext,
): GeneratedSecret {
  const file = join(dataDir, "secrets", name);
  const secret = new Secret({ kind: "file", name: file });
  const found = readText(file);
  const place: Place = { file, path: "" };
  if (found.kind === "unreadable") {
    if (!found.missing) issues.fault(place, `the ${what} ${found.problem}`, found.code);
  } else if (found.text.trim() === "") {
    issues.fault(place, `the ${what} is empty: remove the file, and the next start generates a new one`);
  } else {
    secret.load(found.text.trim());
  }
  return { what, source, secret, file, format };
}

type FoundValue =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "missing"; readonly problem: string; readonly code?: IssueCode | undefined };

function findValue(origin: SecretOrigin, context: ReadContext): FoundValue {
  if (origin.kind === "literal") return { kind: "text", text: origin.value };
  const { kind, name } = origin;
  const written = `${kind}:${name}`;
  if (kind === "env") {
    // A text that is not a name may be the secret itself, so the message does not repeat it.
    if (!/^[A-Za-z_]\w*$/.test(name))
      return missing('expected "env:NAME" with the name of an environment variable');
    if (!isSet(name, context)) return missing(`the environment variable ${name} is not set`);
    return { kind: "text", text: context.env[name] ?? "" };
  }
  if (kind === "file") {
    if (name === "") return missing('expected "file:PATH", found no path');
    if (needsShell(name)) return missing(describeExpansion(name, context));
    return readSecretFile(resolve(context.directory, name), written);
  }
  if (!/^[^/\0]+$/.test(name) || name === "." || name === "..") {
    return missing('expected "credential:NAME" with the name of a file');
  }
  const directory = context.env.CREDENTIALS_DIRECTORY ?? "";
  if (isAbsolute(directory)) return readSecretFile(join(directory, name), written);
  return missing(
    `${written} needs $CREDENTIALS_DIRECTORY, which systemd sets for LoadCredential=. In a shell, set CREDENTIALS_DIRECTORY=/run/credentials/hooklatch.service while the service runs`,
  );
}

function readSecretFile(file: string, written: string): FoundValue {
  const found = readText(file);
  return found.kind === "text"
    ? { kind: "text", text: found.text }
    : missing(`${written} ${found.problem}`, found.code);
}

function missing(problem: string, code?: IssueCode): FoundValue {
  return { kind: "missing", problem, code };
}

/**
 * Creates the data directory, and generates and loads the secrets that are not loaded. Returns the new ones, for the
 * log. Throws an {@link AppError} `failed` when one cannot be written.
 */
export function generateSecrets({
  dataDir,
  generated,
}: {
  readonly dataDir: string;
  readonly generated: readonly GeneratedSecret[];
}): readonly { readonly what: string; readonly file: string }[] {
  attempt(`create the data directory ${dataDir}`, () => claimDirectory(dataDir));
  const created: { what: string; file: string }[] = [];
  for (const { what, secret, file, format } of generated) {
    if (secret.loaded) continue;
    const { value, isNew } = attempt(`write the ${what} to ${file}`, () => provideSecretFile(file, format));
    secret.load(value);
    if (isNew) created.push({ what, file });
  }
  return created;
}

/**
 * Writes a secret of 32 random bytes to a new file with mode 0600 and returns it. When the file exists, returns
 * its content: another server that starts at the same moment may have created it.
 */
export function provideSecretFile(
  file: string,
  format: GeneratedSecret["format"],
): { readonly value: string; readonly isNew: boolean } {
  const value = format(randomBytes(32));
  makePrivateDirectory(dirname(file));
  const isNew = createFileAtomically(file, `${value}\n`, 0o600);
  return { value: isNew ? value : readExisting(file), isNew };
}

function readExisting(file: string): string {
  const value = readFileSync(file, "utf8").trim();
  if (value === "") throw new Error("the file is empty: remove it, and the next start generates a new one");
  return value;
}

function attempt<Result>(what: string, act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    throw new AppError("failed", `cannot ${what}: ${errorMessage(error)}`, error);
  }
}

/** Makes an existing directory private only when it is empty. The mode of one with files does not change. */
function claimDirectory(directory: string): void {
  makePrivateDirectory(directory);
  if (readdirSync(directory).length === 0) chmodSync(directory, 0o700);
}

/** Creates a directory of mode 0700 and its missing parents. Throws the error of the file system. */
export function makePrivateDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
}
