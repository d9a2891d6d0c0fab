import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { accessSync, constants, readFileSync } from "node:fs";
import { AppError, systemErrorCode } from "../../lib/errors.ts";

/** The files of `[server.tls]`, as absolute paths. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** A certificate chain and its private key, in PEM, that were checked to belong together and to be valid now. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** When the leaf certificate runs out. */
  readonly validTo: Date;
}

/** What is in the two files, whatever it is. */
export interface CertificateContents {
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads a certificate and its key. Throws a {@link AppError} `configuration` that names the file when one is
 * missing, unreadable or not whole PEM, when they do not belong together, or when the certificate is not valid at `now`.
 */
export function readCertificate(files: CertificateFiles, now: Date): Certificate {
  return checkCertificate(files, readContents(files), now);
}

/** Reads the two files. Throws a {@link AppError} `configuration` that names what cannot be read. */
export function readContents(files: CertificateFiles): CertificateContents {
  const missing = [explainUnreadable(files.cert, "certificate"), explainUnreadable(files.key, "private key")];
  if (missing.some((reason) => reason !== null)) {
    throw new AppError("configuration", missing.filter((reason) => reason !== null).join("\n"));
  }
  return { cert: readFileSync(files.cert, "utf8"), key: readFileSync(files.key, "utf8") };
}

/** Checks what was read, as {@link readCertificate} does. */
export function checkCertificate(
  files: CertificateFiles,
  { cert, key }: CertificateContents,
  now: Date,
): Certificate {
  const leaf = parse(files.cert, "a PEM certificate", () => new X509Certificate(cert));
  parse(files.cert, "a whole chain of PEM certificates; is it half written?", () => checkWhole(cert));
  const privateKey: KeyObject = parse(files.key, "a PEM private key without a passphrase", () =>
    createPrivateKey(key),
  );
  if (!leaf.checkPrivateKey(privateKey)) {
    throw new AppError(
      "configuration",
      `TLS: the key ${files.key} does not belong to the certificate ${files.cert}`,
    );
  }
  const [validFrom, validTo] = [new Date(leaf.validFrom), new Date(leaf.validTo)];
  if (now > validTo) {
    throw new AppError(
      "configuration",
      `TLS: the certificate ${files.cert} expired at ${validTo.toISOString()}; renew it`,
    );
  }
  if (now < validFrom) {
    const since = validFrom.toISOString();
    throw new AppError(
      "configuration",
      `TLS: the certificate ${files.cert} is not valid before ${since}; check the clock`,
    );
  }
  return { cert, key, validTo };
}

/** Throws when a certificate of the chain is damaged or cut off; parsed as a whole, only the first is looked at. */
function checkWhole(chain: string): void {
  for (const each of chain.split(/(?=-----BEGIN CERTIFICATE-----)/).slice(1)) new X509Certificate(each);
}

/** Why a file cannot be read, or null. */
function explainUnreadable(file: string, what: string): string | null {
  try {
    accessSync(file, constants.R_OK);
    return null;
  } catch (error) {
    const isMissing = systemErrorCode(error) === "ENOENT";
    return isMissing
      ? `TLS: the ${what} file ${file} does not exist; get one, or correct its path`
      : `TLS: the ${what} file ${file} cannot be read by this user; let the service's group read it and its directories`;
  }
}

function parse<T>(file: string, expected: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new AppError("configuration", `TLS: ${file} is not ${expected}`, error);
  }
}
