import { normaliseAddress } from "../../lib/ip-address.ts";
import { createThrottledLog, type ThrottledLog } from "../../lib/log.ts";
import { RESPONSE_HEADERS, respondProblem } from "../responses.ts";
import type { AdminServices } from "./services.ts";

export type { AdminServices } from "./services.ts";

type RouteRequest = (request: Request) => Response | Promise<Response>;

/**
 * Creates the handler of the admin listener on `host`, an address or a host name. Every request needs the token and one
 * of the listener's own Host headers.
 */
export function createAdmin(services: AdminServices): (request: Request, host: string) => Promise<Response> {
  const logThrottled = createThrottledLog(services.log, services.clock);
  let routes: Promise<RouteRequest> | null = null;
  /** Loads the routes with the first request, because loading them takes milliseconds of every start. */
  const route: RouteRequest = async (request) => {
    routes ??= import("./app.ts").then(({ createAdminApp }) => createAdminApp(services).compile().fetch);
    return (await routes)(request);
  };
  return async (request, host) => {
    const response = refuse(request, host, services, logThrottled) ?? (await routeHead(request, route));
    for (const [name, value] of Object.entries(RESPONSE_HEADERS)) response.headers.set(name, value);
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

/** The response to a request without access; null for a request with access. */
function refuse(
  request: Request,
  host: string,
  { token, equal, hosts }: AdminServices,
  logThrottled: ThrottledLog,
): Response | null {
  if (!isOwnHost(request.headers.get("host") ?? "", host, hosts))
    return respondProblem("misdirected request");
  const [, shown] = /^bearer +(\S.*)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
  if (shown !== undefined && equal(shown, token.reveal())) return null;
  // A request without a token is not logged: `hooklatch check` sends one to find out which program listens.
  if (shown !== undefined) {
    logThrottled({ code: "token_mismatch" }, "request to the admin listener refused: wrong token");
  }
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
