import { createHash, createPrivateKey } from "node:crypto";
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import { AppError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { type CertificatePair, readCertificatePair } from "./certificate.ts";
import { fieldOf, textOf } from "./json.ts";

/** An account at a CA, as it is kept. */
export interface StoredAccount {
  /** What the CA calls it. */
  readonly url: string;
  /** PEM. */
  readonly key: string;
  readonly email: string | null;
}

/** The files of one directory URL and one set of domains: another URL or set has its own. */
export interface AcmeStorage {
  /** Makes the directory. Throws a {@link AppError} `failed` when nothing can be written there. */
  prepare(): void;
  /** Null, and a log line, when there is a file that cannot be understood. */
  readAccount(): StoredAccount | null;
  keepAccount(account: StoredAccount): void;
  /** Null, and a log line, when it is damaged or expired. */
  readPair(): CertificatePair | null;
  keepPair(pair: CertificatePair): void;
}

/** Opens the files below `directory`, of which none has to be there yet. */
export function createAcmeStorage(
  directory: string,
  settings: { readonly directory: string; readonly domains: readonly string[] },
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): AcmeStorage {
  const accountFile = join(directory, `account-${digest(settings.directory)}.json`);
  const order = [settings.directory, ...settings.domains.toSorted()].join("\n");
  const pairFile = join(directory, `certificate-${digest(order)}.pem`);
  return {
    prepare: () => prepare(directory),
    readAccount() {
      const account = parseAccount(readIfThere(accountFile));
      if (account === null && existsSync(accountFile)) {
        log.warn({ file: accountFile }, "the kept ACME account is damaged; making another");
      }
      return account;
    },
    keepAccount: (account) => replaceFile(directory, accountFile, `${JSON.stringify(account, null, 2)}\n`),
    readPair() {
      if (!existsSync(pairFile)) return null;
      const text = readIfThere(pairFile) ?? "";
      const reading = readCertificatePair(certificatesOf(text), keyOf(text), settings.domains);
      if (reading.kind === "unfit") {
        log.warn({ file: pairFile }, `the kept certificate ${reading.reason}; a new one is needed`);
        return null;
      }
      if (reading.pair.validTo < clock.now()) {
        const fields = { file: pairFile, expired_at: reading.pair.validTo };
        log.warn(fields, "the kept certificate has expired; a new one is needed");
        return null;
      }
      return reading.pair;
    },
    // Both in one file: no power failure leaves a key beside another key's certificate.
    keepPair: ({ cert, key }) => replaceFile(directory, pairFile, `${key.trimEnd()}\n${cert.trimEnd()}\n`),
  };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

function parseAccount(text: string | null): StoredAccount | null {
  try {
    const document: unknown = JSON.parse(text ?? "");
    const [url, key] = [textOf(fieldOf(document, "url")), textOf(fieldOf(document, "key"))];
    if (url === null || key === null) return null;
    // Throws when it is none.
    createPrivateKey(key);
    return { url, key, email: textOf(fieldOf(document, "email")) };
  } catch {
    return null;
  }
}

function certificatesOf(text: string): string {
  return text.slice(Math.max(0, text.indexOf("-----BEGIN CERTIFICATE-----")));
}

function keyOf(text: string): string {
  return text.match(/-----BEGIN PRIVATE KEY-----[\s\S]*?-----END PRIVATE KEY-----\n?/)?.[0] ?? "";
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

/** Before anything is ordered: certificates that cannot be kept would use up what the CA gives in a week. */
function prepare(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o700);
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new AppError("failed", `cannot keep certificates in ${directory}: ${messageOf(error)}`, error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Writes the whole file or leaves the one there as it was; on disk when it returns. Throws a {@link AppError} `failed`. */
function replaceFile(directory: string, file: string, content: string): void {
  const fresh = `${file}.new`;
  try {
    writeAndFlush(fresh, content);
    renameSync(fresh, file);
    flushDirectory(directory);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw new AppError("failed", `cannot write ${file}: ${messageOf(error)}`, error);
  }
}

/** Without this the new name may be lost with the power, though its content is on disk (fsync(2)). */
function flushDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function writeAndFlush(file: string, content: string): void {
  const descriptor = openSync(file, "w", 0o600);
  try {
    writeFileSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
