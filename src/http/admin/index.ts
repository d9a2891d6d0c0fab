import { isLoopback, normaliseAddress } from "../../lib/ip-address.ts";
import { createThrottledLog, type ThrottledLog } from "../../lib/log.ts";
import { RESPONSE_HEADERS, respondProblem, respondTooManyAttempts } from "../responses.ts";
import { createDashboard } from "./dashboard.ts";
import type { AdminServices } from "./services.ts";
import { createSessions, isSameOrigin, type Sessions } from "./session.ts";

export type { AdminServices } from "./services.ts";

type RouteRequest = (request: Request) => Response | Promise<Response>;

/** Handles a request to the listener on `host`, an address or a host name, from the address `peer`. */
type HandleAdmin = (request: Request, host: string, peer: string | null) => Promise<Response>;

/**
 * Creates the handler of the admin listener. Every request needs one of the listener's own Host headers, and the token
 * or a session of the dashboard. Only the dashboard's page needs neither.
 */
export function createAdmin(services: AdminServices): HandleAdmin {
  const logThrottled = createThrottledLog(services.log, services.clock);
  const sessions = createSessions(services);
  const dashboard = createDashboard(services, sessions, logThrottled);
  let routes: Promise<RouteRequest> | null = null;
  /** Loads the routes with the first request, because loading them takes milliseconds of every start. */
  const route: RouteRequest = async (request) => {
    routes ??= import("./app.ts").then(({ createAdminApp }) => createAdminApp(services).compile().fetch);
    return (await routes)(request);
  };
  async function handle(request: Request, host: string, peer: string | null): Promise<Response> {
    const { headers } = request;
    if (!isOwnHost(headers.get("host") ?? "", host, services.hosts))
      return respondProblem("misdirected request");
    const own = services.dashboard ? await dashboard(request, peer) : null;
    if (own !== null) return own;
    if (!services.dashboard && new URL(request.url).pathname === "/") return respondProblem("not found");
    const access = headers.has("authorization")
      ? checkToken(request, peer, services, logThrottled)
      : services.dashboard && headers.has("cookie")
        ? checkSession(request, sessions)
        : { kind: "refused" as const, response: refuse() };
    if (access.kind === "refused") return access.response;
    const response = await routeHead(request, route);
    if (access.renewal !== null) response.headers.append("set-cookie", access.renewal);
    return response;
  }
  return async (request, host, peer) => {
    const response = await handle(request, host, peer);
    for (const [name, value] of Object.entries(RESPONSE_HEADERS)) {
      // The page has its own.
      if (!response.headers.has(name)) response.headers.set(name, value);
    }
    return response;
  };
}

/** Routes HEAD as GET without the body (RFC 9110, section 9.3.2). The framework would wait for the end of a stream. */
async function routeHead(request: Request, route: RouteRequest): Promise<Response> {
  if (request.method !== "HEAD") return route(request);
  const response = await route(new Request(request, { method: "GET" }));
  await response.body?.cancel();
  return new Response(null, response);
}

type Access =
  /** `renewal` is a value of Set-Cookie that extends the session; null for none. */
  | { readonly kind: "granted"; readonly renewal: string | null }
  | { readonly kind: "refused"; readonly response: Response };

/**
 * Checks the token. Another machine that shows wrong ones has to wait. Loopback does not, because a program that shows
 * an old token there would stop the commands.
 */
function checkToken(
  request: Request,
  peer: string | null,
  { token, equal, adminAttempts }: AdminServices,
  logThrottled: ThrottledLog,
): Access {
  const client = peer === null || isLoopback(peer) ? null : normaliseAddress(peer);
  const wait = adminAttempts.retryAfter(client);
  if (wait > 0) return { kind: "refused", response: respondTooManyAttempts(wait) };
  const [, shown] = /^bearer +(\S.*)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
  if (shown !== undefined && equal(shown, token.reveal())) return { kind: "granted", renewal: null };
  // A request without a token is not logged: `hooklatch check` sends one to find out which program listens.
  if (shown !== undefined) {
    adminAttempts.recordFailure(client);
    logThrottled({ code: "token_mismatch" }, "request to the admin listener refused: wrong token");
  }
  return { kind: "refused", response: refuse() };
}

function checkSession(request: Request, sessions: Sessions): Access {
  const session = sessions.find(request);
  if (session === null) return { kind: "refused", response: refuse() };
  if (!isSameOrigin(request.headers)) {
    return { kind: "refused", response: respondProblem("cross-origin request") };
  }
  return { kind: "granted", renewal: session.renewal };
}

function refuse(): Response {
  const reason = "send the admin token as Authorization: Bearer";
  const response = respondProblem("not authorised", { reason });
  response.headers.set("www-authenticate", "Bearer");
  return response;
}

/** The hosts of a listener on all addresses, as normal forms. */
const ALL_ADDRESSES = ["0.0.0.0", "::"];

/**
 * Whether a Host header is one of the listener's own: the address or name that it listens on, `localhost` and `others`,
 * with any port, because a tunnel has a port of its own. A listener on all addresses accepts every address. A page whose
 * DNS name points to this listener (DNS rebinding) sends that name in Host, never an address.
 */
export function isOwnHost(header: string, listener: string, others: readonly string[]): boolean {
  const [, written = ""] = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/.exec(header) ?? [];
  const name = normaliseHost(written.replace(/^\[(.*)\]$/, "$1"));
  if (ALL_ADDRESSES.includes(normaliseHost(listener)) && normaliseAddress(name) !== null) return true;
  return [listener, "localhost", ...others].some((own) => normaliseHost(own) === name);
}

function normaliseHost(host: string): string {
  return normaliseAddress(host) ?? host.toLowerCase();
}
