import { AppError } from "../lib/errors.ts";
import { toOneLine } from "../lib/text.ts";
import { AcmeRefusal, AcmeUnreachable } from "./client.ts";
import { fieldOf, textOf } from "./json.ts";

/** Why there is no certificate, in one line that says what to do. */
export class CertificateFault extends AppError {
  constructor(
    message: string,
    cause: unknown,
    /** Before this it is of no use to try again; null where the CA does not say. */
    readonly retryAt: Date | null,
  ) {
    super("failed", message, cause);
  }
}

/** The CA, or what it says, ended an order. The message is a reason as people read it, safe to show. */
export class OrderFailure extends Error {}

interface Asked {
  readonly domains: readonly string[];
  readonly directory: string;
}

/** Explains whatever ended an attempt. No key is ever part of it. */
export function describeAcmeError(
  error: unknown,
  asked: Asked,
  signal: AbortSignal,
  now: Date,
): CertificateFault {
  if (error instanceof CertificateFault) return error;
  const host = hostOf(asked.directory);
  const retryAt = error instanceof AcmeRefusal ? readRetryAfter(error.retryAfter, now) : null;
  const reason = signal.aborted ? "it was interrupted" : explain(error, asked, host, retryAt);
  return new CertificateFault(
    `cannot get a certificate for ${asked.domains.join(", ")} from ${host}: ${reason}`,
    error,
    retryAt,
  );
}

function explain(error: unknown, asked: Asked, host: string, retryAt: Date | null): string {
  if (error instanceof AcmeUnreachable) return explainSilence(error, host);
  if (error instanceof AcmeRefusal) return explainRefusal(error, asked, retryAt);
  if (error instanceof OrderFailure) return error.message;
  return toOneLine(error instanceof Error ? error.message : String(error));
}

function explainRefusal(refusal: AcmeRefusal, { directory, domains }: Asked, retryAt: Date | null): string {
  const { status, problem, termsOfService } = refusal;
  if (problem === null && (status >= 500 || status === 429)) return `it answered ${status}; try again later`;
  if (problem === null) {
    return `it answered ${status} without saying why; is ${directory} the address of an ACME directory?`;
  }
  if (retryAt !== null && (problem.type === "rateLimited" || status === 503)) {
    const what = problem.type === "rateLimited" ? "a rate limit is reached" : "the CA is busy";
    return `${what}; try again after ${retryAt.toISOString()}${quote(problem)}`;
  }
  if (problem.type === "userActionRequired" && termsOfService !== null) {
    return `the CA's terms have changed: read and agree to them at ${toOneLine(termsOfService)}${quote(problem)}`;
  }
  if (problem.type === "unauthorized") {
    return `the CA refuses the account: move its file, account-*.json beside the certificates, away to have another made${quote(problem)}`;
  }
  const named = problem.domains.length > 0 ? problem.domains : domains;
  return describeProblem(problem, named.join(", "));
}

const UNTRUSTED =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_.*|CERT_UNTRUSTED|CERT_SIGNATURE_FAILURE)$/;

function explainSilence({ code, message }: AcmeUnreachable, host: string): string {
  if (code === "ERR_CANCELED") return "it gave no answer in time; try again later";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return `its name cannot be resolved (${code}); check the directory's address and this machine's DNS`;
  }
  if (UNTRUSTED.test(code)) {
    return `its own certificate is not trusted (${code}); for a private CA, set \`ca\` to the file with its root certificate`;
  }
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    return `its own certificate is not valid now (${code}); check this machine's clock`;
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return `its own certificate is for another name (${code}); check the directory's address`;
  }
  if (code === "EPROTO" || code.includes("SSL")) {
    return `TLS with it failed (${code}); check the directory's address and, for a private CA, the file in \`ca\``;
  }
  const what = code === "unknown" ? toOneLine(message) : code;
  return `it cannot be reached (${what}); check the directory's address and that this machine may connect to ${host}`;
}

/** Reads seconds or a date (RFC 9110, section 10.2.3). */
function readRetryAfter(header: string | null, now: Date): Date | null {
  if (header === null) return null;
  const time = /^\d{1,9}$/.test(header) ? now.getTime() + Number(header) * 1000 : Date.parse(header);
  return Number.isNaN(time) || time <= now.getTime() ? null : new Date(time);
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

/** What a CA says went wrong. */
export interface Problem {
  /** The last word of the type, such as `rateLimited`. */
  readonly type: string;
  readonly detail: string;
  /** The names that its subproblems are about. */
  readonly domains: readonly string[];
}

/** Reads a problem document; null when it is something else. */
export function readProblem(document: unknown): Problem | null {
  const type = textOf(fieldOf(document, "type"));
  if (type === null) return null;
  const subproblems = fieldOf(document, "subproblems");
  const domains = (Array.isArray(subproblems) ? subproblems : [])
    .map((each) => textOf(fieldOf(fieldOf(each, "identifier"), "value")))
    .filter((domain) => domain !== null);
  return {
    type: type.slice(type.lastIndexOf(":") + 1),
    detail: textOf(fieldOf(document, "detail")) ?? "",
    domains,
  };
}

/** What to do about each type of problem (RFC 8555, section 6.7), where the domain may be several. */
const REMEDIES: ReadonlyMap<string, (domain: string) => string> = new Map(
  Object.entries({
    connection: (domain) =>
      `the CA could not reach ${domain}: is port 80 of ${domain} open, and does its DNS name lead here?`,
    unauthorized: wrongAnswer,
    incorrectResponse: wrongAnswer,
    tls: (domain) =>
      `the CA was sent on to HTTPS that does not work: let http://${domain}/ lead here directly`,
    dns: (domain) => `the CA found no address of ${domain}: let its A and AAAA records lead here`,
    caa: (domain) =>
      `a CAA record in the DNS forbids this CA to certify ${domain}: let one allow it, or take another CA`,
    rejectedIdentifier: notCertified,
    unsupportedIdentifier: notCertified,
    invalidContact: contactRefused,
    unsupportedContact: contactRefused,
    userActionRequired: () => "the CA wants something done about the account first",
    externalAccountRequired: () =>
      "this CA wants an account made on its site first (external account binding), which is not supported: take another CA",
    rateLimited: () => "a rate limit is reached; wait some hours before the next attempt",
    accountDoesNotExist: () => "the CA does not know the account",
    serverInternal: () => "the CA has a fault of its own; it is worth trying again later",
  }),
);

function wrongAnswer(domain: string): string {
  return `something else answered for ${domain}: let http://${domain}/.well-known/acme-challenge/ on port 80 lead here, at every address its DNS name has`;
}

function notCertified(domain: string): string {
  return `the CA does not certify ${domain}: correct the name or take it out of the domains`;
}

function contactRefused(): string {
  return "the CA does not take the e-mail address: correct it, or leave it out";
}

/** What is wrong and what to do, with the CA's own words. */
export function describeProblem(problem: Problem, domain: string | null): string {
  const remedy = REMEDIES.get(problem.type);
  const subject = domain === null ? "the domains" : toOneLine(domain);
  return `${remedy?.(subject) ?? `the CA refused ${subject} (${toOneLine(problem.type)})`}${quote(problem)}`;
}

/** The CA's own words, to be put behind ours. */
export function quote({ detail }: Problem): string {
  return detail === "" ? "" : ` (the CA says: ${toOneLine(detail)})`;
}
