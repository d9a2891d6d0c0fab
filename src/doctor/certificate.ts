import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { createCertificateManager } from "../acme/index.ts";
import type { Config } from "../config/load.ts";
import { readCertificate } from "../http/tls/certificate.ts";
import type { Clock } from "../lib/clock.ts";
import { AppError } from "../lib/errors.ts";
import { parseCertificates } from "../lib/pem.ts";
import { type CheckResult, fail, ok, warn } from "./check-result.ts";
import { isOpenToAll } from "./files.ts";

const DAY = 86_400_000;

/** Days before the end in which a certificate should be renewed already. Let's Encrypt renews 30 days before. */
const MIN_DAYS = 14;

/**
 * Checks whether senders that verify certificates, as forges do, accept the certificate in `[server.tls]`. `roots` are the
 * PEM certificates that senders trust.
 */
export function checkCertificate(
  { server }: Pick<Config, "server">,
  now: Date,
  roots: readonly string[] = rootCertificates,
): readonly CheckResult[] {
  const { tls, publicUrl, trustedProxies } = server;
  if (tls === null) return [];
  const access = isOpenToAll(tls.key)
    ? [warn(`TLS key ${tls.key} is accessible to all users: run chmod o= ${tls.key}`)]
    : [];
  try {
    readCertificate(tls, now);
  } catch (error) {
    if (error instanceof AppError) return [...error.message.split("\n").map(fail), ...access];
    throw error;
  }
  const label = `TLS certificate ${tls.cert}`;
  const parsed = parseCertificates(readFileSync(tls.cert, "utf8"));
  if (parsed.kind === "damaged") return access;
  const [leaf] = parsed.certificates;
  return [
    checkExpiry(label, leaf, now),
    ...checkChain(label, parsed.certificates, now, roots),
    ...(publicUrl === null ? [] : checkNames(label, leaf, publicUrl, trustedProxies.length > 0)),
    ...access,
  ];
}

/** The first host name that the certificate is for, from `[server.acme]` or the file; null for none. */
export function readCertifiedName({ acme, tls }: Pick<Config["server"], "acme" | "tls">): string | null {
  if (acme !== null) return acme.settings.domains[0] ?? null;
  if (tls === null) return null;
  try {
    const parsed = parseCertificates(readFileSync(tls.cert, "utf8"));
    if (parsed.kind === "damaged") return null;
    const names = parsed.certificates[0].subjectAltName?.split(", ") ?? [];
    return names.find((name) => /^DNS:[^*]/.test(name))?.slice("DNS:".length) ?? null;
  } catch {
    return null; // `checkCertificate` reports a file that cannot be read.
  }
}

function checkExpiry(label: string, leaf: X509Certificate, now: Date): CheckResult {
  const end = new Date(leaf.validTo);
  const days = daysBetween(now, end);
  const text = `${label}: for ${namesOf(leaf)}, valid until ${formatDay(end)} (${days} days)`;
  return days < MIN_DAYS ? warn(`${text}; renew it`) : ok(text);
}

/** Follows the issuers from the leaf to a root that senders trust. */
function checkChain(
  label: string,
  [leaf, ...others]: readonly [X509Certificate, ...X509Certificate[]],
  now: Date,
  roots: readonly string[],
): readonly CheckResult[] {
  if (isSelfSigned(leaf)) {
    return [
      warn(
        `${label} is self-signed: GitHub rejects it unless SSL verification is disabled for the webhook; get one from a public CA`,
      ),
    ];
  }
  const trusted = roots.map((root) => new X509Certificate(root));
  const isTrusted = (certificate: X509Certificate) =>
    trusted.some(
      (root) => root.fingerprint256 === certificate.fingerprint256 || isIssuedBy(certificate, root),
    );
  const path = [leaf];
  let last = leaf;
  // Certificates after a trusted root, often an older root, do not matter.
  while (!isTrusted(last) && !isSelfSigned(last)) {
    const issuer = others.find((other) => !path.includes(other) && isIssuedBy(last, other));
    if (issuer === undefined) break;
    path.push(issuer);
    last = issuer;
  }
  const expired = path
    .slice(1)
    .filter(({ validTo }) => new Date(validTo) < now)
    .map(({ subject }) =>
      fail(`${label}: ${nameOf(subject)} in its chain has expired; renew the certificate and its chain`),
    );
  return [...expired, ...(isTrusted(last) ? [] : [warn(`${label} ${describeUntrusted(last)}`)])];
}

/** Completes the name of a certificate whose chain ends at `last`. */
function describeUntrusted(last: X509Certificate): string {
  if (isSelfSigned(last)) {
    return `is from a private CA, ${nameOf(last.subject)}: senders that do not trust it reject it, as GitHub does unless SSL verification is disabled`;
  }
  return `has an incomplete chain: ${nameOf(last.issuer)} is missing and not a public root, so senders cannot verify it; use the file with the intermediate certificates (fullchain.pem)`;
}

function checkNames(
  label: string,
  leaf: X509Certificate,
  publicUrl: string,
  hasProxy: boolean,
): readonly CheckResult[] {
  const { protocol, hostname } = new URL(publicUrl);
  const host = hostname.replace(/^\[|\]$/g, "");
  if (protocol !== "https:" || coversHost(leaf, host)) return [];
  const text = `${label} is for ${namesOf(leaf)}, not for ${host} in public_url, so senders reject it; get one for that name`;
  // Senders see the certificate of the proxy.
  return [hasProxy ? warn(text) : fail(text)];
}

/** Whether a certificate covers a host. A `*` in a name stands for one label (RFC 6125, section 6.4.3). */
export function coversHost(leaf: X509Certificate, host: string): boolean {
  if (isIP(host) !== 0) return leaf.checkIP(host) !== undefined;
  return leaf.checkHost(host, { subject: "never", partialWildcards: false }) !== undefined;
}

/** The names in `DNS:a, IP Address:b`. The subject does not count (RFC 9110, section 4.3.4). */
function namesOf({ subjectAltName }: X509Certificate): string {
  const names = (subjectAltName ?? "").matchAll(/(?:DNS|IP Address):([^,\s]+)/g);
  return [...names].map(([, name = ""]) => name).join(", ") || "no name";
}

function isSelfSigned(certificate: X509Certificate): boolean {
  return isIssuedBy(certificate, certificate);
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** Quotes a name such as `C=US\nO=Example\nCN=R3` on one line. */
function nameOf(subject: string): string {
  return JSON.stringify(subject.trim().replaceAll("\n", ", "));
}

function daysBetween(start: Date, end: Date): number {
  return Math.floor((end.getTime() - start.getTime()) / DAY);
}

function formatDay(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** Checks the stored certificate of `[server.acme]`, without a request to the CA. */
export function checkAcme(
  { server, dataDir }: Pick<Config, "server" | "dataDir">,
  clock: Clock,
): readonly CheckResult[] {
  if (server.acme === null) return [];
  const { settings, httpPort } = server.acme;
  const label = `automatic certificate for ${settings.domains.join(", ")}`;
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const stored = createCertificateManager(settings, join(dataDir, "acme"), { clock, log }).readStored();
  if (stored === null) {
    const { host } = new URL(settings.directory);
    return [
      ok(`${label}: the first start orders it from ${host}, which must reach port ${httpPort} of each name`),
    ];
  }
  const { validFrom, validTo } = stored;
  const text = `${label}: valid until ${formatDay(validTo)} (${daysBetween(clock.now(), validTo)} days)`;
  // Renewal starts with a third of the lifetime left. With a sixth left it has failed for some time.
  const remaining = validTo.getTime() - clock.now().getTime();
  const isLate = remaining < (validTo.getTime() - validFrom.getTime()) / 6;
  return [isLate ? warn(`${text}; see the server's log for why it was not renewed`) : ok(text)];
}
