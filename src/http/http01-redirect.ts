import type { ThrottledLog } from "../lib/log.ts";
import { RESPONSE_HEADERS, respond, respondProblem, respondText } from "./responses.ts";

/** The services of the plain HTTP listener. */
export interface RedirectServices {
  /** The response to the challenge with this token (RFC 8555, section 8.3); null for an unknown token. */
  readonly answerChallenge: (token: string) => Promise<string | null>;
  /** The host of every redirect. It comes from the configuration, never from a Host header. */
  readonly publicHost: string;
  readonly publicPort: number;
  readonly sourcePaths: readonly string[];
  readonly logThrottled: ThrottledLog;
}

const CHALLENGES = "/.well-known/acme-challenge/";

/**
 * Creates the handler of the plain HTTP listener, which serves port 80 beside automatic HTTPS. It responds to challenges
 * of the CA, redirects GET and HEAD to HTTPS, and refuses every other method with a 403, because webhook senders do not
 * follow redirects. It reads no body.
 */
export function createHttp01Redirect(services: RedirectServices): (request: Request) => Promise<Response> {
  const { publicHost, publicPort, answerChallenge } = services;
  const origin = `https://${publicHost}${publicPort === 443 ? "" : `:${publicPort}`}`;
  return async (request) => {
    const target = targetOf(request);
    const path = target.replace(/\?.*/, "");
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(path, origin, services);
    if (!path.startsWith(CHALLENGES)) {
      // 308 preserves the method (RFC 9110, section 15.4.9).
      const headers = { ...RESPONSE_HEADERS, location: `${origin}${target}` };
      return new Response(null, { status: 308, headers });
    }
    const token = path.slice(CHALLENGES.length);
    // Tokens are base64url (RFC 8555, section 8.3).
    const answer = /^[A-Za-z0-9_-]+$/.test(token) ? await answerChallenge(token) : null;
    return answer === null ? respondProblem("not found") : respondText(answer);
  };
}

/** The path and query as received. The runtime omits a host that it cannot parse, and encodes non-ASCII characters. */
function targetOf({ url }: Request): string {
  const [, target = ""] = /^(?:https?:\/\/[^/?#]*)?([^#]*)/.exec(url) ?? [];
  return target.startsWith("/") ? target : `/${target}`;
}

/** The payload was already sent unencrypted. A redirect would leave the sender's configuration wrong. */
function refuse(path: string, origin: string, { sourcePaths, logThrottled }: RedirectServices): Response {
  const isSource = sourcePaths.includes(path);
  const url = isSource ? `${origin}${path}` : origin;
  if (isSource) {
    logThrottled(
      { path, code: "https_required" },
      `request refused: it used plain HTTP; configure ${url} at the sender`,
    );
  }
  return respond(
    403,
    { status: "https required", reason: `senders do not follow redirects: configure ${url}` },
    { connection: "close" },
  );
}
