import { AppError, errorMessage } from "../lib/errors.ts";
import { describeHttpFailure, type HttpFailure } from "../lib/http-client.ts";
import { toOneLine } from "../lib/text.ts";

/** Why no certificate was issued, in one line that says what to do. */
export class CertificateError extends AppError {
  constructor(
    message: string,
    cause: unknown,
    /** The CA rejects new attempts before this time; null when it names none. */
    readonly retryAt: Date | null,
  ) {
    super("failed", message, cause);
  }
}

/** An order that cannot continue. Its message is a reason that is safe to show. */
export class OrderError extends Error {}

/** The CA's error response: a problem document (RFC 8555, section 6.7), or just a status. */
export class AcmeResponseError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem | null,
    /** The Retry-After header. */
    readonly retryAfter: string | null,
    /** The URL in a Link header with `rel="terms-of-service"`. */
    readonly termsOfService: string | null,
  ) {
    super(problem?.detail ?? `HTTP ${status}`);
  }
}

/** Whether the CA does not have the account: it lost it, or another CA uses the address now. */
export function isUnknownAccount(error: unknown): boolean {
  return error instanceof AcmeResponseError && error.problem?.type === "accountDoesNotExist";
}

/** The CA did not respond. */
export class AcmeConnectionError extends Error {
  constructor(readonly failure: HttpFailure) {
    super(describeHttpFailure(failure), { cause: "cause" in failure ? failure.cause : undefined });
  }
}

interface CertificateOrder {
  readonly domains: readonly string[];
  readonly directory: string;
}

/** Converts the error that ended an attempt to a {@link CertificateError}. Its text never holds a key. */
export function describeAcmeError(
  error: unknown,
  order: CertificateOrder,
  signal: AbortSignal,
  now: Date,
): CertificateError {
  const { directory, domains } = order;
  const host = URL.canParse(directory) ? new URL(directory).host : directory;
  const retryAt = error instanceof AcmeResponseError ? readRetryAfter(error.retryAfter, now) : null;
  const reason = signal.aborted ? "interrupted" : explain(error, order, host, retryAt);
  const message = `cannot get a certificate for ${domains.join(", ")} from ${host}: ${reason}`;
  return new CertificateError(message, error, retryAt);
}

function explain(error: unknown, order: CertificateOrder, host: string, retryAt: Date | null): string {
  if (error instanceof AcmeConnectionError) return explainFailure(error.failure, host);
  if (error instanceof AcmeResponseError) return explainResponse(error, order, retryAt);
  return error instanceof OrderError ? error.message : toOneLine(errorMessage(error));
}

function explainResponse(
  { status, problem, termsOfService }: AcmeResponseError,
  { directory, domains }: CertificateOrder,
  retryAt: Date | null,
): string {
  if (problem === null) {
    return status >= 500 || status === 429
      ? `the CA returned ${status}; try again later`
      : `the CA returned ${status} without a reason; is ${directory} the address of an ACME directory?`;
  }
  if (retryAt !== null && (problem.type === "rateLimited" || status === 503)) {
    const what = problem.type === "rateLimited" ? "the CA's rate limit is reached" : "the CA is busy";
    return `${what}; try again after ${retryAt.toISOString()}${quote(problem)}`;
  }
  if (problem.type === "userActionRequired" && termsOfService !== null) {
    return `the CA's terms have changed: read and agree to them at ${toOneLine(termsOfService)}${quote(problem)}`;
  }
  if (problem.type === "unauthorized") {
    return `the CA rejects the account: remove account-*.json from the directory of the certificates, and the next attempt creates a new one${quote(problem)}`;
  }
  const named = problem.domains.length > 0 ? problem.domains : domains;
  return describeProblem(problem, named.join(", "));
}

function explainFailure(failure: HttpFailure, host: string): string {
  if (failure.kind === "timeout") return "the CA did not respond in time; try again later";
  if (failure.kind === "untrusted") return explainUntrusted(failure.code);
  if (failure.kind !== "unreachable") return describeHttpFailure(failure);
  const { code } = failure;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return `the name of the CA cannot be resolved (${code}); check the directory's address and this machine's DNS`;
  }
  if (code === "EPROTO" || code.includes("SSL")) {
    return `the TLS handshake with the CA failed (${code}); check the directory's address and, for a private CA, the file in \`ca\``;
  }
  return `the CA cannot be reached (${code}); check the directory's address and that this machine can connect to ${host}`;
}

function explainUntrusted(code: string): string {
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    return `the CA's own certificate is not valid now (${code}); check this machine's clock`;
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return `the CA's own certificate is for another name (${code}); check the directory's address`;
  }
  return `the CA's own certificate is not trusted (${code}); for a private CA, set \`ca\` to the file with its root certificate`;
}

/** Parses seconds or a date (RFC 9110, section 10.2.3); null for a time in the past. */
function readRetryAfter(header: string | null, now: Date): Date | null {
  if (header === null) return null;
  const time = /^\d{1,9}$/.test(header) ? now.getTime() + Number(header) * 1000 : Date.parse(header);
  return Number.isNaN(time) || time <= now.getTime() ? null : new Date(time);
}

/** A problem that a CA reports. */
export interface Problem {
  /** The last part of its type, such as `rateLimited`. */
  readonly type: string;
  readonly detail: string;
  /** The domains of its subproblems. */
  readonly domains: readonly string[];
}

/** Reads a problem document; null for other values. */
export function readProblem(document: unknown): Problem | null {
  const type = readText(document, "type");
  if (type === null) return null;
  const subproblems = readField(document, "subproblems");
  const domains = (Array.isArray(subproblems) ? subproblems : [])
    .map((each) => readText(readField(each, "identifier"), "value"))
    .filter((domain) => domain !== null);
  return { type: type.slice(type.lastIndexOf(":") + 1), detail: readText(document, "detail") ?? "", domains };
}

/** A field of an unknown value; undefined when there is none. */
export function readField(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

/** A field that is a string; null when it is not. */
export function readText(value: unknown, name: string): string | null {
  const field = readField(value, name);
  return typeof field === "string" ? field : null;
}

/** What each type of problem means and what to do (RFC 8555, section 6.7). `domain` may name several. */
const REMEDIES: ReadonlyMap<string, (domain: string) => string> = new Map(
  Object.entries({
    connection: (domain) =>
      `the CA cannot connect to ${domain}: is port 80 open, and does its DNS name lead to this server?`,
    unauthorized: explainWrongAnswer,
    incorrectResponse: explainWrongAnswer,
    tls: (domain) =>
      `the CA was redirected to HTTPS that does not work: let http://${domain}/ reach this server directly`,
    dns: (domain) => `the CA found no address of ${domain}: let its A and AAAA records name this server`,
    caa: (domain) =>
      `a CAA record forbids this CA to issue for ${domain}: add one that allows it, or use another CA`,
    rejectedIdentifier: explainRejectedDomain,
    unsupportedIdentifier: explainRejectedDomain,
    invalidContact: explainRejectedContact,
    unsupportedContact: explainRejectedContact,
    userActionRequired: () => "the CA requires an action on the account first",
    externalAccountRequired: () =>
      "this CA requires an account from its site (external account binding): set `eab` in [server.acme] to the key id and key from there",
    rateLimited: () => "the CA's rate limit is reached; wait some hours before the next attempt",
    accountDoesNotExist: () => "the CA does not know the account",
    serverInternal: () => "the CA has an internal error; try again later",
  }),
);

function explainWrongAnswer(domain: string): string {
  return `another server answered for ${domain}: let http://${domain}/.well-known/acme-challenge/ on port 80 reach this server, at every address of its DNS name`;
}

function explainRejectedDomain(domain: string): string {
  return `the CA does not issue for ${domain}: correct the name, or remove it from the domains`;
}

function explainRejectedContact(): string {
  return "the CA rejects the e-mail address: correct it, or remove it";
}

/** Says what is wrong and what to do, and quotes the CA. */
export function describeProblem(problem: Problem, domain: string | null): string {
  const subject = domain === null ? "the domains" : toOneLine(domain);
  const known = REMEDIES.get(problem.type)?.(subject);
  return `${known ?? `the CA refused ${subject} (${toOneLine(problem.type)})`}${quote(problem)}`;
}

function quote({ detail }: Problem): string {
  return detail === "" ? "" : ` (the CA says: ${toOneLine(detail)})`;
}
