import { parseCertificates, parsePrivateKey } from "../lib/pem.ts";

/** A certificate chain and its private key, PEM. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
  readonly validFrom: Date;
  readonly validTo: Date;
}

/** A checked pair, or why it is not what was ordered. `reason` completes "the certificate …". */
export type CertificatePairResult =
  | { readonly kind: "valid"; readonly pair: CertificatePair }
  | { readonly kind: "invalid"; readonly reason: string };

/** Checks that a key belongs to a certificate and that the certificate covers all of the domains. */
export function readCertificatePair(
  cert: string,
  key: string,
  domains: readonly string[],
): CertificatePairResult {
  const parsed = parseCertificates(cert);
  if (parsed.kind === "damaged") return { kind: "invalid", reason: "is damaged" };
  const [leaf] = parsed.certificates;
  const privateKey = parsePrivateKey(key);
  if (privateKey === null) return { kind: "invalid", reason: "has a damaged key" };
  if (!leaf.checkPrivateKey(privateKey)) return { kind: "invalid", reason: "belongs to another key" };
  const missing = domains.filter((domain) => leaf.checkHost(domain) === undefined);
  if (missing.length > 0) return { kind: "invalid", reason: `does not cover ${missing.join(", ")}` };
  const [validFrom, validTo] = [new Date(leaf.validFrom), new Date(leaf.validTo)];
  return { kind: "valid", pair: { cert, key, validFrom, validTo } };
}
