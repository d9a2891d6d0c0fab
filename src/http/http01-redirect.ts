import type { ThrottledLog } from "../lib/throttled-log.ts";
import { RESPONSE_HEADERS, respond, respondRefused, respondText } from "./responses.ts";

/** What the listener for plain HTTP works with. */
export interface PlainTools {
  /** The answer to the challenge with this token (RFC 8555, section 8.3); null where there is none. */
  readonly answerChallenge: (token: string) => string | null;
  /** The host that everybody is sent to: as configured, never as a request's Host header says. */
  readonly publicHost: string;
  readonly publicPort: number;
  /** The paths that webhooks are sent to. */
  readonly sourcePaths: readonly string[];
  readonly complain: ThrottledLog;
}

const CHALLENGES = "/.well-known/acme-challenge/";

/**
 * Makes the answers of the plain listener, port 80 beside automatic HTTPS: challenges for the CA, the way to HTTPS for
 * who follows redirects, and the reason for who does not. A body is never read, as its connection is closed.
 */
export function createHttp01Redirect(tools: PlainTools): (request: Request) => Promise<Response> {
  const { publicHost, publicPort } = tools;
  const origin = `https://${publicHost}${publicPort === 443 ? "" : `:${publicPort}`}`;
  return async (request) => {
    const target = targetOf(request);
    const path = target.replace(/\?.*/, "");
    if (request.method !== "GET" && request.method !== "HEAD") return refuseSender(path, origin, tools);
    if (!path.startsWith(CHALLENGES)) return redirect(`${origin}${target}`);
    return answerToken(path.slice(CHALLENGES.length), tools);
  };
}

/** Path and query as they came. The runtime leaves out a host that it cannot read, and encodes what is no ASCII. */
function targetOf({ url }: Request): string {
  const [, target = ""] = /^(?:https?:\/\/[^/?#]*)?([^#]*)/.exec(url) ?? [];
  return target.startsWith("/") ? target : `/${target}`;
}

/** Tokens are base64url (RFC 8555, section 8.3). */
function answerToken(token: string, { answerChallenge }: PlainTools): Response {
  const found = /^[A-Za-z0-9_-]+$/.test(token) ? answerChallenge(token) : null;
  return found === null ? respondRefused("not found") : respondText(found);
}

/** 308 keeps the method (RFC 9110, section 15.4.9). */
function redirect(location: string): Response {
  return new Response(null, { status: 308, headers: { ...RESPONSE_HEADERS, location } });
}

/** What was sent has travelled readable, and a redirect would leave the sender to it. */
function refuseSender(path: string, origin: string, { sourcePaths, complain }: PlainTools): Response {
  const source = sourcePaths.find((each) => each === path);
  const url = `${origin}${source ?? ""}`;
  if (source !== undefined) {
    complain({ path: source }, `refused a webhook over plain HTTP: its sender has to be given ${url}`);
  }
  return respond(
    403,
    { status: "https required", reason: `senders do not follow redirects: configure ${url}` },
    { connection: "close" },
  );
}
