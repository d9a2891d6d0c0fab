import { createHash } from "node:crypto";
import { accessSync, chmodSync, constants, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { replaceFileAtomically } from "../lib/atomic-file.ts";
import type { Clock } from "../lib/clock.ts";
import { AppError, describeFileError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { extractCertificates, extractPrivateKey, parsePrivateKey } from "../lib/pem.ts";
import { type CertificatePair, readCertificatePair } from "./certificate.ts";
import { readText } from "./errors.ts";

/** An account at a CA. */
export interface StoredAccount {
  /** Its URL at the CA. */
  readonly url: string;
  /** PEM. */
  readonly key: string;
  readonly email: string | null;
}

/** The files of one CA and one set of domains. Every other combination has its own files. */
export type AcmeStorage = ReturnType<typeof createAcmeStorage>;

/** Creates the storage in `directory`, which need not exist. */
export function createAcmeStorage(
  directory: string,
  settings: {
    readonly directory: string;
    readonly domains: readonly string[];
    readonly eab: { readonly keyId: string } | null;
  },
  { clock, log }: { readonly clock: Clock; readonly log: Log },
) {
  const account = [settings.directory, ...(settings.eab === null ? [] : [settings.eab.keyId])].join("\n");
  const accountFile = join(directory, `account-${digest(account)}.json`);
  const order = [settings.directory, ...settings.domains.toSorted()].join("\n");
  const pairFile = join(directory, `certificate-${digest(order)}.pem`);
  return {
    /** Creates the directory. Throws an {@link AppError} `failed` when it is not writable. */
    prepare: () => prepare(directory),
    /** Returns null when there is no account, or, with a log line, when it is damaged. */
    readAccount(): StoredAccount | null {
      const account = parseAccount(readIfPresent(accountFile));
      if (account === null && existsSync(accountFile)) {
        log.warn({ file: accountFile }, "the stored ACME account is damaged; creating a new one");
      }
      return account;
    },
    /** Throws an {@link AppError} `failed`. */
    saveAccount: (account: StoredAccount) => write(accountFile, `${JSON.stringify(account, null, 2)}\n`),
    /** Returns null when there is no pair, or, with a log line, when it is damaged or expired. */
    readPair(): CertificatePair | null {
      if (!existsSync(pairFile)) return null;
      const text = readIfPresent(pairFile) ?? "";
      const [cert, key] = [extractCertificates(text), extractPrivateKey(text)];
      const result = readCertificatePair(cert, key, settings.domains);
      if (result.kind === "invalid") {
        log.warn({ file: pairFile }, `the stored certificate ${result.reason}; ordering a new one`);
        return null;
      }
      if (result.pair.validTo >= clock.now()) return result.pair;
      const fields = { file: pairFile, expired_at: result.pair.validTo };
      log.warn(fields, "the stored certificate has expired; ordering a new one");
      return null;
    },
    /** Throws an {@link AppError} `failed`. One file: in two, a power failure could leave a key without its certificate. */
    savePair: ({ cert, key }: CertificatePair) => write(pairFile, `${key.trimEnd()}\n${cert.trimEnd()}\n`),
  };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

function parseAccount(text: string | null): StoredAccount | null {
  try {
    const document: unknown = JSON.parse(text ?? "");
    const [url, key] = [readText(document, "url"), readText(document, "key")];
    if (url === null || key === null || parsePrivateKey(key) === null) return null;
    return { url, key, email: readText(document, "email") };
  } catch {
    return null;
  }
}

function readIfPresent(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

/** Called before an order: certificates that cannot be stored would exhaust the CA's weekly limit. */
function prepare(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o700);
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new AppError(
      "failed",
      `cannot store certificates in ${directory}: ${describeFileError(error)}`,
      error,
    );
  }
}

function write(file: string, text: string): void {
  try {
    replaceFileAtomically(file, text, 0o600);
  } catch (error) {
    throw new AppError("failed", `cannot write ${file}: ${describeFileError(error)}`, error);
  }
}
