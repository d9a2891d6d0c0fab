import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
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
  const cert = readPem(files.cert, "certificate");
  const key = readPem(files.key, "private key");
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

function readPem(file: string, what: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const why =
      error instanceof Error && "code" in error && error.code === "ENOENT"
        ? "does not exist"
        : "cannot be read";
    throw new Fault("configuration", `TLS: the ${what} file ${file} ${why}`, error);
  }
}

function parse<T>(file: string, expected: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Fault("configuration", `TLS: ${file} is not ${expected}`, error);
  }
}
