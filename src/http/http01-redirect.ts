import type { ThrottledLog } from "../lib/throttled-log.ts";
import { RESPONSE_HEADERS, respond, respondProblem, respondText } from "./responses.ts";

/** What the plain HTTP listener works with. */
export interface RedirectServices {
  /** The response to the challenge with this token (RFC 8555, section 8.3); null where there is none. */
  readonly answerChallenge: (token: string) => string | null;
  /** The host of every redirect: from the configuration, never from a request's Host header. */
  readonly publicHost: string;
  readonly publicPort: number;
  /** The paths that webhooks are sent to. */
  readonly sourcePaths: readonly string[];
  readonly logThrottled: ThrottledLog;
}

const CHALLENGES = "/.well-known/acme-challenge/";

/**
 * Creates the responses of the plain HTTP listener, port 80 beside automatic HTTPS: challenges for the CA, a redirect to
 * HTTPS for browsers, and a 403 for webhook senders, which follow no redirect. A body is never read: the connection is
 * closed.
 */
export function createHttp01Redirect(services: RedirectServices): (request: Request) => Promise<Response> {
  const { publicHost, publicPort } = services;
  const origin = `https://${publicHost}${publicPort === 443 ? "" : `:${publicPort}`}`;
  return async (request) => {
    const target = targetOf(request);
    const path = target.replace(/\?.*/, "");
    if (request.method !== "GET" && request.method !== "HEAD") return refuseSender(path, origin, services);
    if (!path.startsWith(CHALLENGES)) return redirect(`${origin}${target}`);
    return respondToChallenge(path.slice(CHALLENGES.length), services);
  };
}

/** Path and query as they came. The runtime leaves out a host that it cannot parse, and encodes other than ASCII. */
function targetOf({ url }: Request): string {
  const [, target = ""] = /^(?:https?:\/\/[^/?#]*)?([^#]*)/.exec(url) ?? [];
  return target.startsWith("/") ? target : `/${target}`;
}

/** Tokens are base64url (RFC 8555, section 8.3). */
function respondToChallenge(token: string, { answerChallenge }: RedirectServices): Response {
  const answer = /^[A-Za-z0-9_-]+$/.test(token) ? answerChallenge(token) : null;
  return answer === null ? respondProblem("not found") : respondText(answer);
}

/** 308 keeps the method (RFC 9110, section 15.4.9). */
function redirect(location: string): Response {
  return new Response(null, { status: 308, headers: { ...RESPONSE_HEADERS, location } });
}

/** The payload has travelled unencrypted, and a redirect would leave the sender's configuration at that. */
function refuseSender(
  path: string,
  origin: string,
  { sourcePaths, logThrottled }: RedirectServices,
): Response {
  const source = sourcePaths.find((each) => each === path);
  const url = `${origin}${source ?? ""}`;
  if (source !== undefined) {
    logThrottled(
      { path: source, code: "https_required" },
      `request refused: it came over plain HTTP; configure ${url} at its sender`,
    );
  }
  return respond(
    403,
    { status: "https required", reason: `senders do not follow redirects: configure ${url}` },
    { connection: "close" },
  );
}
