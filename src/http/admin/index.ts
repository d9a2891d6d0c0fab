import { normaliseAddress } from "../../lib/ip-address.ts";
import { createThrottledLog, type ThrottledLog } from "../../lib/log.ts";
import { RESPONSE_HEADERS, respondProblem } from "../responses.ts";
import type { AdminServices } from "./services.ts";

export type { AdminServices } from "./services.ts";

/** Whether a Host header is one of the listener's own. */
type IsOwnHost = (header: string) => boolean;

type RouteRequest = (request: Request) => Response | Promise<Response>;

/** Creates the handler of the admin listener, which requires the token for every request. */
export function createAdmin(
  services: AdminServices,
): (request: Request, isOwnHost: IsOwnHost) => Promise<Response> {
  const logThrottled = createThrottledLog(services.log, services.clock);
  let routes: Promise<RouteRequest> | null = null;
  /** Loads the routes with the first request, because loading them takes milliseconds of every start. */
  const route: RouteRequest = async (request) => {
    routes ??= import("./app.ts").then(({ createAdminApp }) => createAdminApp(services).compile().fetch);
    return (await routes)(request);
  };
  return async (request, isOwnHost) => {
    const response = refuse(request, isOwnHost, services, logThrottled) ?? (await routeHead(request, route));
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
  isOwnHost: IsOwnHost,
  { token, equal }: AdminServices,
  logThrottled: ThrottledLog,
): Response | null {
  if (!isOwnHost(request.headers.get("host") ?? "")) return respondProblem("misdirected request");
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
 * Creates the check of Host headers for a listener on `host`. It accepts that address or name and `localhost`, with any
 * port, because a tunnel has a port of its own. A listener on all addresses accepts every address. A page whose DNS name
 * points to this listener (DNS rebinding) sends that name in Host, never an address.
 */
export function createHostCheck(host: string): IsOwnHost {
  const own = normaliseHost(host);
  const isOnAllAddresses = ALL_ADDRESSES.includes(own);
  return (header) => {
    const [, written = ""] = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/.exec(header) ?? [];
    const name = normaliseHost(written.replace(/^\[(.*)\]$/, "$1"));
    return name === own || name === "localhost" || (isOnAllAddresses && normaliseAddress(name) !== null);
  };
}

function normaliseHost(host: string): string {
  return normaliseAddress(host) ?? host.toLowerCase();
}
