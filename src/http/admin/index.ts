import { createThrottledLog, type ThrottledLog } from "../../lib/throttled-log.ts";
import { RESPONSE_HEADERS, respondProblem } from "../responses.ts";
import type { AdminServices } from "./services.ts";

export type { AdminServices } from "./services.ts";

type IsOwnHost = (header: string) => boolean;

type RouteRequest = (request: Request) => Response | Promise<Response>;

/**
 * Creates the admin listener, for the people who run the server: on loopback by default, always with the token.
 * Responds to one request; `isOwnHost` recognises the listener's own Host headers.
 */
export function createAdmin(
  services: AdminServices,
): (request: Request, isOwnHost: IsOwnHost) => Promise<Response> {
  const logThrottled = createThrottledLog(services.log, services.clock);
  let routes: Promise<RouteRequest> | null = null;
  /** Loads the routes with the first request: without them the server listens some milliseconds earlier. */
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

/** Routes HEAD as GET without the body (RFC 9110, section 9.3.2). The framework would wait for a stream's end. */
async function routeHead(request: Request, route: RouteRequest): Promise<Response> {
  if (request.method !== "HEAD") return route(request);
  const response = await route(new Request(request, { method: "GET" }));
  await response.body?.cancel();
  return new Response(null, response);
}

/**
 * The response to a request that has no access, or null. A page that another DNS name brought to a browser on this
 * machine has that name in Host (DNS rebinding), and no token.
 */
function refuse(
  request: Request,
  isOwnHost: IsOwnHost,
  { token, equal }: AdminServices,
  logThrottled: ThrottledLog,
): Response | null {
  if (!isOwnHost(request.headers.get("host") ?? "")) return respondProblem("misdirected request");
  const [, shown] = /^bearer +(\S.*)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
  if (shown !== undefined && equal(shown, token.reveal())) return null;
  // A request without a token only looks who listens, as `hooklatch check` does.
  if (shown !== undefined) {
    logThrottled({ code: "token_mismatch" }, "request to the admin listener refused: wrong token");
  }
  const response = respondProblem("not authorised", {
    reason: "send the admin token as Authorization: Bearer",
  });
  response.headers.set("www-authenticate", "Bearer");
  return response;
}
