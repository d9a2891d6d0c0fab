import { X509Certificate } from "node:crypto";
import { resolve } from "node:path";
import { domainToASCII } from "node:url";
import { readSocketPath } from "../lib/ip-address.ts";
import type { ReadContext } from "./read/context.ts";
import { child, type Place } from "./read/issues.ts";
import { isLoopback, overlap, parseHttpUrl } from "./read/network.ts";
import { formatValue, readTable } from "./read/table.ts";
import { readText } from "./read/toml.ts";
import { AcmeTable, EXPECTED_DIRECTORY, EXPECTED_DOMAIN } from "./schema.ts";

/** `[server.acme]`: HTTPS with a certificate that is got and renewed by itself (RFC 8555). */
export interface AcmeConfig {
  readonly settings: {
    /** DNS names in lower case, internationalised ones in punycode. */
    readonly domains: readonly string[];
    /** Where the CA may write to. */
    readonly email: string | null;
    /** The URL of the CA's directory; https, or on this machine. */
    readonly directory: string;
    /** PEM text that the directory's own certificate is verified with; null for the public roots. */
    readonly ca: string | null;
  };
  /** Where the CA's challenges are answered, on the host of the public listener. */
  readonly httpPort: number;
}

/** A listener that the one for challenges must not be in the way of. */
interface Neighbour {
  readonly host: string;
  readonly port: number;
}

const LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory";

/** Reads the table. `terms_agreed` has to stand there: nobody else can agree to a CA's terms. */
export function resolveAcme(raw: unknown, place: Place, ground: ReadContext): AcmeConfig {
  const { report } = ground;
  const { values, has } = readTable(AcmeTable, raw, place, report);
  const directory = checkDirectory(values.directory, child(place, "directory"), ground);
  const agreed = values.terms_agreed;
  if (agreed === false || !has("terms_agreed")) {
    const expected = `expected true, once you have read and agreed to ${describeTerms(directory)}`;
    report.fault(child(place, "terms_agreed"), `${expected}, found ${formatValue(agreed)}`);
  }
  return Object.freeze({
    settings: Object.freeze({
      domains: readDomains(values.domains ?? [], child(place, "domains"), ground),
      email: values.email ?? null,
      directory,
      ca: values.ca === undefined ? null : readRoots(values.ca, child(place, "ca"), ground),
    }),
    httpPort: values.http_port ?? 80,
  });
}

/** Checks what the table has to do with the public listener. `place` is that of `[server]`. */
export function checkAcme(
  { settings: { domains }, httpPort }: AcmeConfig,
  { host, port, publicUrl }: Neighbour & { readonly publicUrl: string | null },
  place: Place,
  { report }: ReadContext,
): void {
  const table = child(place, "acme");
  if (readSocketPath(host) !== null) {
    report.fault(
      table,
      "expected a host with ports, where the CA and the senders come, found a unix socket: the proxy in front of it has the certificate",
    );
  } else if (httpPort === port) {
    report.fault(
      child(table, "http_port"),
      `expected another port than the public listener's, found ${httpPort}`,
    );
  }
  const publicHost = publicUrl !== null && URL.canParse(publicUrl) ? new URL(publicUrl).hostname : null;
  if (publicHost !== null && domains.length > 0 && !domains.includes(publicHost)) {
    report.warn(
      child(place, "public_url"),
      `its host is not among the domains of [server.acme]: the certificate is not for ${formatValue(publicHost)}`,
    );
  }
}

/** Checks that the admin listener was not given the port for challenges. */
export function checkAcmeBeside(
  admin: Neighbour & { readonly isConfigured: boolean },
  { host, acme }: { readonly host: string; readonly acme: AcmeConfig | null },
  place: Place,
  { report }: ReadContext,
): void {
  // Without a port of its own the admin listener gives way.
  if (acme === null || !admin.isConfigured) return;
  if (acme.httpPort === admin.port && overlap(admin.host, host)) {
    const found = `found ${acme.httpPort}`;
    report.fault(child(place, "http_port"), `expected another port than the admin listener's, ${found}`);
  }
}

/** Names the terms of Let's Encrypt; of other CAs, where they are named. */
function describeTerms(directory: string): string {
  if (directory.includes(".letsencrypt.org/")) {
    return "the Subscriber Agreement of Let's Encrypt (https://letsencrypt.org/repository/)";
  }
  return "the CA's terms of service (its directory names them as termsOfService)";
}

function readDomains(written: readonly string[], place: Place, { report }: ReadContext): readonly string[] {
  const domains = new Set<string>();
  for (const [index, text] of written.entries()) {
    const domain = readDomain(text);
    if (domain === null) {
      const why = text.includes("*") ? ": a wildcard cannot be proved over HTTP, name each" : "";
      report.fault(child(place, index), `expected ${EXPECTED_DOMAIN}, found ${formatValue(text)}${why}`);
    } else if (domains.has(domain)) {
      report.fault(child(place, index), `expected each name once, found ${formatValue(domain)} again`);
    } else {
      domains.add(domain);
    }
  }
  return Object.freeze([...domains]);
}

const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
/** Labels as hosts have them (RFC 1123, section 2.1). The last of an IP address would be a number. */
const DNS_NAME = new RegExp(`^(?=.{1,253}$)(?!(?:.*\\.)?\\d+$)${LABEL}(?:\\.${LABEL})*$`);

/** The name as DNS has it; null for what is none. */
function readDomain(text: string): string | null {
  // What a URL gives a meaning to would be cut off or decoded.
  const domain = /^[\p{L}\p{M}\p{N}.-]+$/u.test(text) ? domainToASCII(text) : "";
  return DNS_NAME.test(domain) ? domain : null;
}

function checkDirectory(text: string | undefined, place: Place, { report }: ReadContext): string {
  if (text === undefined) return LETS_ENCRYPT;
  const url = parseHttpUrl(text);
  // Who can change what the CA says on its way could have it certify for somebody else.
  if (url === undefined || url.hash !== "" || (url.protocol === "http:" && !isLoopback(url.hostname))) {
    report.fault(place, `expected ${EXPECTED_DIRECTORY}, without user, password and fragment`);
  }
  return text;
}

/** The text of a file of certificates, one after the other. */
function readRoots(file: string, place: Place, { directory, report }: ReadContext): string | null {
  const found = readText(resolve(directory, file));
  if (found.ok && isCertificates(found.text)) return found.text;
  const problem = found.ok ? "is not a file of PEM certificates" : found.problem;
  report.fault(place, `${file} ${problem}`);
  return null;
}

function isCertificates(text: string): boolean {
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    return certificates.map((each) => new X509Certificate(each)).length > 0;
  } catch {
    return false;
  }
}
