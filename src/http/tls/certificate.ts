import { readFileSync } from "node:fs";
import { AppError, systemErrorCode } from "../../lib/errors.ts";
import { parseCertificates, parsePrivateKey } from "../../lib/pem.ts";
import type { TlsCertificate } from "../../runtime/index.ts";

/** The files of `[server.tls]`, as absolute paths. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** A certificate chain and its private key, PEM, that match and were valid when they were checked. */
export interface Certificate extends TlsCertificate {
  readonly validFrom: Date;
  /** When the leaf certificate expires. */
  readonly validTo: Date;
}

/**
 * Reads a certificate and its key. Throws an {@link AppError} `configuration` that names the file when one is missing,
 * unreadable or incomplete, when they do not match, or when the certificate is not valid at `now`.
 */
export function readCertificate(files: CertificateFiles, now: Date): Certificate {
  return checkCertificate(files, readContents(files), now);
}

/** Reads the two files. Throws an {@link AppError} `configuration` with a line for each file that cannot be read. */
export function readContents(files: CertificateFiles): TlsCertificate {
  const problems: string[] = [];
  const read = (file: string, what: string) => {
    try {
      return readFileSync(file, "utf8");
    } catch (error) {
      problems.push(describeReadError(file, what, error));
      return "";
    }
  };
  const contents = { cert: read(files.cert, "certificate"), key: read(files.key, "private key") };
  if (problems.length > 0) throw new AppError("configuration", problems.join("\n"));
  return contents;
}

/** Checks the text of the two files as {@link readCertificate} does. */
export function checkCertificate(files: CertificateFiles, contents: TlsCertificate, now: Date): Certificate {
  const [cert, key] = [withoutByteOrderMark(contents.cert), withoutByteOrderMark(contents.key)];
  if (/-----END [A-Z0-9 ]+----------BEGIN /.test(cert)) {
    throw invalid(
      `${files.cert} has -----END and -----BEGIN on one line: put a newline between the certificates`,
    );
  }
  const parsed = parseCertificates(cert);
  if (parsed.kind === "damaged") {
    throw invalid(
      parsed.position === 0
        ? `${files.cert} is not a PEM certificate`
        : `${files.cert} is not a complete chain of PEM certificates: is it still being written?`,
    );
  }
  const [leaf] = parsed.certificates;
  const privateKey = parsePrivateKey(key);
  if (privateKey === null) throw invalid(`${files.key} is not a PEM private key without a passphrase`);
  if (!leaf.checkPrivateKey(privateKey)) {
    const position = parsed.certificates.findIndex((each) => each.checkPrivateKey(privateKey));
    if (position > 0) {
      throw invalid(
        `the first certificate in ${files.cert} is not the one of the key ${files.key}, which is number ${position + 1}: put the server's certificate first, then its issuers`,
      );
    }
    throw invalid(`the key ${files.key} does not belong to the certificate ${files.cert}`);
  }
  const [validFrom, validTo] = [new Date(leaf.validFrom), new Date(leaf.validTo)];
  if (now > validTo) {
    throw invalid(`the certificate ${files.cert} expired at ${validTo.toISOString()}: renew it`);
  }
  if (now < validFrom) {
    const start = validFrom.toISOString();
    throw invalid(`the certificate ${files.cert} is not valid before ${start}: check the clock`);
  }
  return { cert, key, validFrom, validTo };
}

/** OpenSSL does not find a certificate after the mark that some editors put at the beginning of a file. */
function withoutByteOrderMark(text: string): string {
  return text.replace(/^\uFEFF/, "");
}

function describeReadError(file: string, what: string, error: unknown): string {
  return systemErrorCode(error) === "ENOENT"
    ? `TLS: the ${what} file ${file} does not exist: create it, or correct its path`
    : `TLS: this user cannot read the ${what} file ${file}: let the service's group read it and its directories`;
}

function invalid(problem: string): AppError {
  return new AppError("configuration", `TLS: ${problem}`);
}
