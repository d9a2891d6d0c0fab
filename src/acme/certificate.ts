import { createPrivateKey, X509Certificate } from "node:crypto";

/** A certificate chain and its private key, in PEM. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
  readonly validFrom: Date;
  readonly validTo: Date;
}

/** Whether a chain and a key are what was ordered, or why not. */
export type CertificatePairResult =
  | { readonly kind: "fits"; readonly pair: CertificatePair }
  /** The reason completes "the certificate …". */
  | { readonly kind: "unfit"; readonly reason: string };

/** Reads a pair and checks that the key belongs to the certificate and that it is for all of the domains. */
export function readCertificatePair(
  cert: string,
  key: string,
  domains: readonly string[],
): CertificatePairResult {
  const chain = attempt(() => readChain(cert));
  const leaf = chain?.[0];
  if (leaf === undefined) return { kind: "unfit", reason: "is damaged" };
  const privateKey = attempt(() => createPrivateKey(key));
  if (privateKey === null) return { kind: "unfit", reason: "has a damaged key" };
  if (!leaf.checkPrivateKey(privateKey)) return { kind: "unfit", reason: "is of another key" };
  const missing = domains.filter((domain) => leaf.checkHost(domain) === undefined);
  if (missing.length > 0) return { kind: "unfit", reason: `is not for ${missing.join(", ")}` };
  const [validFrom, validTo] = [new Date(leaf.validFrom), new Date(leaf.validTo)];
  return { kind: "fits", pair: { cert, key, validFrom, validTo } };
}

function readChain(cert: string): readonly X509Certificate[] {
  return cert.split(/(?=-----BEGIN CERTIFICATE-----)/).map((each) => new X509Certificate(each));
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
