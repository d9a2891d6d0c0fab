import { oneLine } from "../domain/one-line.ts";
import { fieldOf, textOf } from "./document.ts";

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
  const subject = domain === null ? "the domains" : oneLine(domain);
  return `${remedy?.(subject) ?? `the CA refused ${subject} (${oneLine(problem.type)})`}${quote(problem)}`;
}

/** The CA's own words, to be put behind ours. */
export function quote({ detail }: Problem): string {
  return detail === "" ? "" : ` (the CA says: ${oneLine(detail)})`;
}
