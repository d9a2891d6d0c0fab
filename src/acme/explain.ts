import { Fault } from "../domain/fault.ts";
import { oneLine } from "../domain/one-line.ts";
import { NoAnswer, Refusal } from "./conversation.ts";
import { describeProblem, quote } from "./problem.ts";

/** Why there is no certificate, in one line that says what to do. */
export class CertificateFault extends Fault {
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
export function explainFailure(
  error: unknown,
  asked: Asked,
  signal: AbortSignal,
  now: Date,
): CertificateFault {
  if (error instanceof CertificateFault) return error;
  const host = hostOf(asked.directory);
  const retryAt = error instanceof Refusal ? readRetryAfter(error.retryAfter, now) : null;
  const reason = signal.aborted ? "it was interrupted" : explain(error, asked, host, retryAt);
  return new CertificateFault(
    `cannot get a certificate for ${asked.domains.join(", ")} from ${host}: ${reason}`,
    error,
    retryAt,
  );
}

function explain(error: unknown, asked: Asked, host: string, retryAt: Date | null): string {
  if (error instanceof NoAnswer) return explainSilence(error, host);
  if (error instanceof Refusal) return explainRefusal(error, asked, retryAt);
  if (error instanceof OrderFailure) return error.message;
  return oneLine(error instanceof Error ? error.message : String(error));
}

function explainRefusal(refusal: Refusal, { directory, domains }: Asked, retryAt: Date | null): string {
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
    return `the CA's terms have changed: read and agree to them at ${oneLine(termsOfService)}${quote(problem)}`;
  }
  if (problem.type === "unauthorized") {
    return `the CA refuses the account: move its file, account-*.json beside the certificates, away to have another made${quote(problem)}`;
  }
  const named = problem.domains.length > 0 ? problem.domains : domains;
  return describeProblem(problem, named.join(", "));
}

const UNTRUSTED =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_.*|CERT_UNTRUSTED|CERT_SIGNATURE_FAILURE)$/;

function explainSilence({ code, message }: NoAnswer, host: string): string {
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
  const what = code === "unknown" ? oneLine(message) : code;
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
