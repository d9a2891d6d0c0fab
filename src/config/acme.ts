import { resolve } from "node:path";
import { domainToASCII } from "node:url";
import { readSocketPath } from "../lib/ip-address.ts";
import { parseCertificates } from "../lib/pem.ts";
import type { Secret } from "../lib/secret.ts";
import { AcmeTable, EXPECTED_DOMAIN } from "./acme-schema.ts";
import type { ReadContext } from "./read/context.ts";
import { child, formatValue, type Place } from "./read/issues.ts";
import { checkExpansion } from "./read/paths.ts";
import { readTable } from "./read/table.ts";
import { readText } from "./read/toml.ts";
import { loadSecret } from "./secrets.ts";

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
    /** The account that the CA's site issued (RFC 8555, section 7.3.4); null for a CA that requires none. */
    readonly eab: { readonly keyId: string; readonly key: Secret } | null;
  };
  /** The port on which the CA's challenges are answered, on the public listener's host. */
  readonly httpPort: number;
}

/** Reads the table. The user must agree to the CA's terms with `terms_agreed = true`. */
export function resolveAcme(raw: unknown, place: Place, context: ReadContext): AcmeConfig {
  const { issues } = context;
  const { values, has, isValid } = readTable(AcmeTable, raw, place, issues);
  const { directory, terms_agreed: agreed } = values;
  if (agreed === false || !has("terms_agreed")) {
    const terms = describeTerms(isValid(["directory"]) ? directory : "");
    issues.fault(child(place, "terms_agreed"), `must be true: read and agree to ${terms}`);
  }
  return Object.freeze({
    settings: Object.freeze({
      domains: readDomains(values.domains ?? [], child(place, "domains"), context),
      email: values.email ?? null,
      directory,
      ca: values.ca === undefined ? null : readRoots(values.ca, child(place, "ca"), context),
      eab: values.eab === undefined ? null : readBinding(values.eab, child(place, "eab"), context),
    }),
    httpPort: values.http_port,
  });
}

/** Checks the table against `[server]`, whose place is `place`. */
export function checkAcmeWithServer(
  { settings: { domains } }: AcmeConfig,
  { host, publicUrl }: { readonly host: string; readonly publicUrl: string | null },
  place: Place,
  { issues }: ReadContext,
): void {
  if (readSocketPath(host) !== null) {
    issues.fault(
      child(place, "acme"),
      "needs a TCP port that the CA can reach, but host is a unix socket: configure the certificate in the proxy instead",
    );
  }
  const publicHost = publicUrl === null ? null : new URL(publicUrl).hostname;
  if (publicHost !== null && domains.length > 0 && !domains.includes(publicHost)) {
    issues.warn(
      child(place, "public_url"),
      `the domains of [server.acme] do not include ${formatValue(publicHost)}: senders will reject the certificate`,
    );
  }
}

function readBinding(
  { key_id: keyId, hmac_key: key }: { readonly key_id: string; readonly hmac_key: Secret },
  place: Place,
  context: ReadContext,
) {
  const at = child(place, "hmac_key");
  loadSecret(key, at, context);
  if (key.loaded && !/^[A-Za-z0-9_+/-]+={0,2}$/.test(key.reveal())) {
    context.issues.fault(at, "expected a key in base64url");
  }
  return Object.freeze({ keyId, key });
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

function readRoots(file: string, place: Place, context: ReadContext): string | null {
  const { directory, issues } = context;
  if (!checkExpansion(file, place, context)) return null;
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
