import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** The certificates of a PEM text, or where the first damaged one is. */
export type ParsedCertificates =
  | { readonly kind: "parsed"; readonly certificates: readonly [X509Certificate, ...X509Certificate[]] }
  /** `position` counts from 0; it is 0 also when the text holds no certificate. */
  | { readonly kind: "damaged"; readonly position: number };

/** OpenSSL reads certificates under these three labels (PEM_read_bio_X509). */
const BEGIN_CERTIFICATE = /(?=-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----)/;

/** Parses every certificate of a PEM text, in order. Text around them, such as a key or a comment, is ignored. */
export function parseCertificates(pem: string): ParsedCertificates {
  const blocks = splitCertificates(pem);
  const certificates: X509Certificate[] = [];
  for (const block of blocks) {
    const certificate = attempt(() => new X509Certificate(block));
    if (certificate === null) return { kind: "damaged", position: certificates.length };
    certificates.push(certificate);
  }
  const [leaf, ...issuers] = certificates;
  return leaf === undefined
    ? { kind: "damaged", position: 0 }
    : { kind: "parsed", certificates: [leaf, ...issuers] };
}

/** Parses a private key that has no passphrase; null when there is none. */
export function parsePrivateKey(pem: string): KeyObject | null {
  return attempt(() => createPrivateKey(pem));
}

/** The PKCS #8 private key in a PEM text that holds more (RFC 5958), as PEM; empty when there is none. */
export function extractPrivateKey(pem: string): string {
  return /-----BEGIN PRIVATE KEY-----[\s\S]*?-----END PRIVATE KEY-----\n?/.exec(pem)?.[0] ?? "";
}

/** The certificates in a PEM text that holds more, as PEM. */
export function extractCertificates(pem: string): string {
  return splitCertificates(pem).join("");
}

function splitCertificates(pem: string): readonly string[] {
  return pem.split(BEGIN_CERTIFICATE).filter((block) => BEGIN_CERTIFICATE.test(block));
}

function attempt<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch {
    return null;
  }
}
