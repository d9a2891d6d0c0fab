import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { accessSync, constants, readFileSync } from "node:fs";
import { Fault } from "../domain/fault.ts";

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

/**
 * Reads a certificate and its key. Throws a {@link Fault} `configuration` that names the file when one is
 * missing, unreadable or not PEM, when they do not belong together, or when the certificate is not valid at `now`.
 */
export function readCertificate(files: CertificateFiles, now: Date): Certificate {
  const missing = [explainUnreadable(files.cert, "certificate"), explainUnreadable(files.key, "private key")];
  if (missing.some((reason) => reason !== null)) {
    throw new Fault("configuration", missing.filter((reason) => reason !== null).join("\n"));
  }
  const [cert, key] = [readFileSync(files.cert, "utf8"), readFileSync(files.key, "utf8")];
  const leaf = parse(files.cert, "a PEM certificate", () => new X509Certificate(cert));
  const privateKey: KeyObject = parse(files.key, "a PEM private key without a passphrase", () =>
    createPrivateKey(key),
  );
  if (!leaf.checkPrivateKey(privateKey)) {
    throw new Fault(
      "configuration",
      `TLS: the key ${files.key} does not belong to the certificate ${files.cert}`,
    );
  }
  const [validFrom, validTo] = [new Date(leaf.validFrom), new Date(leaf.validTo)];
  if (now > validTo) {
    throw new Fault(
      "configuration",
      `TLS: the certificate ${files.cert} expired at ${validTo.toISOString()}; renew it`,
    );
  }
  if (now < validFrom) {
    const since = validFrom.toISOString();
    throw new Fault(
      "configuration",
      `TLS: the certificate ${files.cert} is not valid before ${since}; check the clock`,
    );
  }
  return { cert, key, validTo };
}

/** Why a file cannot be read, or null. */
function explainUnreadable(file: string, what: string): string | null {
  try {
    accessSync(file, constants.R_OK);
    return null;
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    return `TLS: the ${what} file ${file} ${isMissing ? "does not exist" : "cannot be read by this user"}`;
  }
}

function parse<T>(file: string, expected: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Fault("configuration", `TLS: ${file} is not ${expected}`, error);
  }
}
