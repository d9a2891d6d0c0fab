import { resolve } from "node:path";
import { domainToASCII } from "node:url";
import { isLoopback, readSocketPath } from "../lib/ip-address.ts";
import { parseCertificates } from "../lib/pem.ts";
import type { ReadContext } from "./read/context.ts";
import { child, formatValue, type Place } from "./read/issues.ts";
import { overlap, parseHttpUrl } from "./read/network.ts";
import { readTable } from "./read/table.ts";
import { readText } from "./read/toml.ts";
import { AcmeTable, EXPECTED_DIRECTORY, EXPECTED_DOMAIN } from "./schema.ts";

/** `[server.acme]`: HTTPS with a certificate from a CA (RFC 8555). */
export interface AcmeConfig {
  readonly settings: {
    /** DNS names in lower case, internationalised ones in punycode. */
    readonly domains: readonly string[];
    /** Where the CA may write to. */
    readonly email: string | null;
    /** The URL of the CA's directory: https, or on this machine. */
    readonly directory: string;
    /** PEM certificates that verify the directory's own certificate; null for the public roots. */
    readonly ca: string | null;
  };
  /** The port on which the CA's challenges are answered, on the public listener's host. */
  readonly httpPort: number;
}

/** A listener whose port must differ from the challenge port. */
interface OtherListener {
  readonly host: string;
  readonly port: number;
}

const LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory";

/** Reads the table. The user must agree to the CA's terms with `terms_agreed = true`. */
export function resolveAcme(raw: unknown, place: Place, context: ReadContext): AcmeConfig {
  const { issues } = context;
  const { values, has } = readTable(AcmeTable, raw, place, issues);
  const directory = checkDirectory(values.directory, child(place, "directory"), context);
  const agreed = values.terms_agreed;
  if (agreed === false || !has("terms_agreed")) {
    const expected = `expected true, once you have read and agreed to ${describeTerms(directory)}`;
    issues.fault(child(place, "terms_agreed"), `${expected}, found ${formatValue(agreed)}`);
  }
  return Object.freeze({
    settings: Object.freeze({
      domains: readDomains(values.domains ?? [], child(place, "domains"), context),
      email: values.email ?? null,
      directory,
      ca: values.ca === undefined ? null : readRoots(values.ca, child(place, "ca"), context),
    }),
    httpPort: values.http_port ?? 80,
  });
}

/** Checks the table against the public listener. `place` is that of `[server]`. */
export function checkAcmeWithServer(
  { settings: { domains }, httpPort }: AcmeConfig,
  { host, port, publicUrl }: OtherListener & { readonly publicUrl: string | null },
  place: Place,
  { issues }: ReadContext,
): void {
  const table = child(place, "acme");
  if (readSocketPath(host) !== null) {
    issues.fault(
      table,
      "needs a TCP port that the CA can reach, but host is a unix socket: configure the certificate in the proxy instead",
    );
  } else if (httpPort === port) {
    issues.fault(
      child(table, "http_port"),
      `the public listener already has port ${httpPort}: choose another port`,
    );
  }
  const publicHost = publicUrl !== null && URL.canParse(publicUrl) ? new URL(publicUrl).hostname : null;
  if (publicHost !== null && domains.length > 0 && !domains.includes(publicHost)) {
    issues.warn(
      child(place, "public_url"),
      `the domains of [server.acme] do not include ${formatValue(publicHost)}: senders will reject the certificate`,
    );
  }
}

/** Checks that the admin listener has another port. Without a configured port it gives way. */
export function checkAcmeWithAdmin(
  admin: OtherListener & { readonly isConfigured: boolean },
  { host, acme }: { readonly host: string; readonly acme: AcmeConfig | null },
  place: Place,
  { issues }: ReadContext,
): void {
  if (acme === null || !admin.isConfigured) return;
  if (acme.httpPort === admin.port && overlap(admin.host, host)) {
    issues.fault(
      child(place, "http_port"),
      `the admin listener already has port ${acme.httpPort}: choose another port`,
    );
  }
}

function describeTerms(directory: string): string {
  if (directory.includes(".letsencrypt.org/")) {
    return "the Subscriber Agreement of Let's Encrypt (https://letsencrypt.org/repository/)";
  }
  return "the CA's terms of service (termsOfService in its directory)";
}

function readDomains(written: readonly string[], place: Place, { issues }: ReadContext): readonly string[] {
  const domains = new Set<string>();
  for (const [index, text] of written.entries()) {
    const domain = parseDomain(text);
    if (domain === null) {
      const why = text.includes("*") ? ": HTTP challenges cannot prove a wildcard, so list each name" : "";
      issues.fault(child(place, index), `expected ${EXPECTED_DOMAIN}, found ${formatValue(text)}${why}`);
    } else if (domains.has(domain)) {
      issues.fault(child(place, index), `${formatValue(domain)} is listed twice: remove one`);
    } else {
      domains.add(domain);
    }
  }
  return Object.freeze([...domains]);
}

const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
/** Labels of host names (RFC 1123, section 2.1). The last one is not a number, so that IP addresses do not match. */
const DNS_NAME = new RegExp(`^(?=.{1,253}$)(?!(?:.*\\.)?\\d+$)${LABEL}(?:\\.${LABEL})*$`);

/** The name in the form of DNS; null for other text. */
function parseDomain(text: string): string | null {
  // domainToASCII parses as a URL does and would cut or decode other characters.
  const domain = /^[\p{L}\p{M}\p{N}.-]+$/u.test(text) ? domainToASCII(text) : "";
  return DNS_NAME.test(domain) ? domain : null;
}

function checkDirectory(text: string | undefined, place: Place, { issues }: ReadContext): string {
  if (text === undefined) return LETS_ENCRYPT;
  const url = parseHttpUrl(text);
  // Whoever can change the CA's responses could get a certificate for somebody else.
  if (url === undefined || url.hash !== "" || (url.protocol === "http:" && !isLoopback(url.hostname))) {
    issues.fault(place, `expected ${EXPECTED_DIRECTORY}, without a user, password or fragment`);
  }
  return text;
}

function readRoots(file: string, place: Place, { directory, issues }: ReadContext): string | null {
  const found = readText(resolve(directory, file));
  const problem =
    found.kind === "unreadable"
      ? found.problem
      : parseCertificates(found.text).kind === "damaged"
        ? "is not a file of PEM certificates"
        : null;
  if (problem === null && found.kind === "text") return found.text;
  issues.fault(place, `${file} ${problem}`, found.kind === "unreadable" ? found.code : undefined);
  return null;
}
