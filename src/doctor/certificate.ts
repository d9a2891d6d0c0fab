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
import { isOpenToAll } from "./files.ts";
import { type CheckResult, fail, ok, warn } from "./index.ts";

const DAY = 86_400_000;

/** Days before its end in which a certificate should have been renewed: Let's Encrypt's are at a third of 90. */
const SOON = 14;

/**
 * Whether a sender that verifies certificates, as forges do, would take the one in `[server.tls]`. `roots` are the
 * certificates that senders know, in PEM.
 */
export function checkCertificate(
  { server }: Pick<Config, "server">,
  now: Date,
  roots: readonly string[] = rootCertificates,
): readonly CheckResult[] {
  const { tls, publicUrl } = server;
  if (tls === null) return [];
  const privacy = isOpenToAll(tls.key)
    ? [warn(`TLS key ${tls.key} is open to everybody on this machine: chmod o= ${tls.key}`)]
    : [];
  try {
    readCertificate(tls, now);
  } catch (error) {
    if (error instanceof AppError) return [...error.message.split("\n").map(fail), ...privacy];
    throw error;
  }
  const what = `TLS certificate ${tls.cert}`;
  const parsed = parseCertificates(readFileSync(tls.cert, "utf8"));
  if (parsed.kind === "damaged") return privacy;
  const chain = parsed.certificates;
  const [leaf] = chain;
  const names = publicUrl === null ? [] : checkNames(what, leaf, publicUrl, server.trustedProxies.length > 0);
  return [...checkTime(what, leaf, now), ...checkChain(what, chain, now, roots), ...names, ...privacy];
}

function checkTime(what: string, leaf: X509Certificate, now: Date): CheckResult[] {
  const end = new Date(leaf.validTo);
  const days = Math.floor((end.getTime() - now.getTime()) / DAY);
  const names = namesOf(leaf).join(", ") || "nobody";
  const text = `${what}: for ${names}, valid until ${end.toISOString().slice(0, 10)} (${days} days)`;
  return [days < SOON ? warn(`${text}; renew it`) : ok(text)];
}

/** Whether senders can follow it from the leaf to a root that they know. */
function checkChain(
  what: string,
  [leaf, ...others]: readonly X509Certificate[],
  now: Date,
  roots: readonly string[],
): CheckResult[] {
  if (leaf === undefined) return [];
  if (isSelfSigned(leaf)) {
    return [
      warn(
        `${what} is self-signed: GitHub refuses it unless SSL verification is off for the webhook; get one from a public authority`,
      ),
    ];
  }
  const known = roots.map((root) => new X509Certificate(root));
  const isKnown = (each: X509Certificate) =>
    known.some((root) => root.fingerprint256 === each.fingerprint256 || isIssuedBy(each, root));
  const path = [leaf];
  let last = leaf;
  // What comes after a root that senders know does not matter to them: often it is an older one.
  while (!isKnown(last) && !isSelfSigned(last)) {
    const issuer = others.find((each) => !path.includes(each) && isIssuedBy(last, each));
    if (issuer === undefined) break;
    path.push(issuer);
    last = issuer;
  }
  const late = path.slice(1).filter(({ validTo }) => new Date(validTo) < now);
  const expired = late.map(({ subject }) =>
    fail(`${what}: ${nameOf(subject)} in its chain expired; renew it with its chain`),
  );
  return [...expired, ...(isKnown(last) ? [] : [describeEnd(what, last)])];
}

/** What a chain ends in that leads to no root that senders know. */
function describeEnd(what: string, last: X509Certificate): CheckResult {
  if (isSelfSigned(last)) {
    return warn(
      `${what} is of a private authority, ${nameOf(last.subject)}: senders that do not know it refuse it, as GitHub does unless SSL verification is off`,
    );
  }
  return warn(
    `${what}: its chain is not whole, ${nameOf(last.issuer)} is missing and no public root: senders cannot verify it; name the file with the intermediates (fullchain.pem)`,
  );
}

function checkNames(
  what: string,
  leaf: X509Certificate,
  publicUrl: string,
  hasProxy: boolean,
): CheckResult[] {
  const { protocol, hostname } = new URL(publicUrl);
  const host = hostname.replace(/^\[|\]$/g, "");
  if (protocol !== "https:" || isFor(leaf, host)) return [];
  const text = `${what} is for ${namesOf(leaf).join(", ") || "nobody"}, not for ${host} of public_url: senders refuse it; get one for that name`;
  // Behind a proxy it is the proxy's certificate that senders see.
  return [hasProxy ? warn(text) : fail(text)];
}

/** Whether one of its names is this host: a `*` stands for one whole label (RFC 6125, section 6.4.3). */
export function isFor(leaf: X509Certificate, host: string): boolean {
  if (isIP(host) !== 0) return leaf.checkIP(host) !== undefined;
  return leaf.checkHost(host, { subject: "never", partialWildcards: false }) !== undefined;
}

/** As `DNS:a, IP Address:b` says; only these count, the subject does not (RFC 9110, section 4.3.4). */
function namesOf({ subjectAltName }: X509Certificate): readonly string[] {
  return [...(subjectAltName ?? "").matchAll(/(?:DNS|IP Address):([^,\s]+)/g)].map(([, name = ""]) => name);
}

function isSelfSigned(certificate: X509Certificate): boolean {
  return isIssuedBy(certificate, certificate);
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** A name on several lines, as in `C=US\nO=Example\nCN=R3`, in one. */
function nameOf(subject: string): string {
  return JSON.stringify(subject.trim().replaceAll("\n", ", "));
}

/** The certificate that `[server.acme]` got; the CA is not asked. */
export function checkAcme(
  { server, dataDir }: Pick<Config, "server" | "dataDir">,
  clock: Clock,
): readonly CheckResult[] {
  if (server.acme === null) return [];
  const { settings, httpPort } = server.acme;
  const what = `automatic certificate for ${settings.domains.join(", ")}`;
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const kept = createCertificateManager(settings, join(dataDir, "acme"), { clock, log: quiet }).readStored();
  if (kept === null) {
    const { host } = new URL(settings.directory);
    return [
      ok(`${what}: the next start gets it from ${host}, which must reach port ${httpPort} of each name`),
    ];
  }
  const left = kept.validTo.getTime() - clock.now().getTime();
  const text = `${what}: valid until ${kept.validTo.toISOString().slice(0, 10)} (${Math.floor(left / DAY)} days)`;
  // It is renewed with a third of its life left: with a sixth, that has failed for some time.
  const isLate = left < (kept.validTo.getTime() - kept.validFrom.getTime()) / 6;
  return [isLate ? warn(`${text}; the log of the server tells why it was not renewed`) : ok(text)];
}
