import { toOpenAPISchema } from "@elysiajs/openapi/openapi";
import { Type } from "@sinclair/typebox";
import type { AnyElysia } from "elysia";
import { createThrottledLog, type ThrottledLog } from "../../lib/throttled-log.ts";
import { RESPONSE_HEADERS, respondRefused } from "../responses.ts";
import { clients } from "./clients.ts";
import { deliveries } from "./deliveries.ts";
import { deployments } from "./deployments.ts";
import { events } from "./events.ts";
import { answerProblem } from "./problems.ts";
import { COMMON_PROBLEMS, createRoutes } from "./schema.ts";
import { server } from "./server.ts";
import type { AdminServices } from "./services.ts";
import { targets } from "./targets.ts";

export type { About, AdminServices } from "./services.ts";

type IsOwnHost = (header: string) => boolean;

type Answer = (request: Request) => Response | Promise<Response>;

/**
 * The admin listener, for the people who run the server: loopback by default, always with the token.
 * Answers one request; `isOwnHost` knows the Host headers that are its own.
 */
export function createAdmin(
  tools: AdminServices,
): (request: Request, isOwnHost: IsOwnHost) => Promise<Response> {
  const complain = createThrottledLog(tools.log, tools.clock);
  let routes: Promise<Answer> | null = null;
  /** Loaded when somebody asks for the first time: deliveries are taken some milliseconds earlier without it. */
  const answerRequest: Answer = async (request) => {
    routes ??= import("./index.ts").then(({ createAdminApp }) => createAdminApp(tools).compile().fetch);
    return (await routes)(request);
  };
  return async (request, isOwnHost) => {
    const response =
      refuseStranger(request, isOwnHost, tools, complain) ?? (await answerHead(request, answerRequest));
    for (const [name, value] of Object.entries(RESPONSE_HEADERS)) response.headers.set(name, value);
    return response;
  };
}

/** Answers HEAD as GET without the body (RFC 9110, section 9.3.2); the framework would wait for a stream's end. */
async function answerHead(request: Request, answerRequest: Answer): Promise<Response> {
  if (request.method !== "HEAD") return answerRequest(request);
  const response = await answerRequest(new Request(request, { method: "GET" }));
  await response.body?.cancel();
  return new Response(null, response);
}

/**
 * Why a request is not let in, or null. A page that somebody else's DNS name brought to a browser on this machine
 * has that name in Host (DNS rebinding), and no token.
 */
function refuseStranger(
  request: Request,
  isOwnHost: IsOwnHost,
  { token, equal }: AdminServices,
  complain: ThrottledLog,
): Response | null {
  if (!isOwnHost(request.headers.get("host") ?? "")) return respondRefused("misdirected request");
  const [, shown] = /^bearer +(\S.*)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
  if (shown !== undefined && equal(shown, token.reveal())) return null;
  // Whoever shows none is only looking who is there, as `hooklatch check` does.
  if (shown !== undefined) complain({}, "refused a request to the admin listener: wrong token");
  const response = respondRefused("not authorised", {
    reason: "send the admin token as Authorization: Bearer",
  });
  response.headers.set("www-authenticate", "Bearer");
  return response;
}

/** Every noun's routes. What goes wrong in any of them is answered in one place. */
export function createAdminApp(tools: AdminServices) {
  const app = createRoutes()
    .onError(({ error, request }) => answerProblem(error, request, app.routes, tools.log))
    .use(server(tools))
    .use(targets(tools))
    .use(deployments(tools))
    .use(deliveries(tools))
    .use(clients(tools))
    .use(events(tools));
  return app.get("/openapi.json", () => describeApi(app, tools.about().version), {
    response: { 200: Type.Record(Type.String(), Type.Unknown()), ...COMMON_PROBLEMS },
    detail: { tags: ["server"], summary: "This description" },
  });
}

/** Describes every route of the admin API (OpenAPI 3.1). */
export function describeApi(app: AnyElysia, version: string) {
  const { paths, components } = toOpenAPISchema(app, { staticFile: false });
  return {
    openapi: "3.1.2",
    info: {
      title: "hooklatch",
      version,
      description:
        "Look at and steer a running hooklatch. Times are RFC 3339 in UTC, lists come newest first.",
    },
    security: [{ token: [] }],
    paths,
    components: {
      ...components,
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "the admin token" },
      },
    },
  };
}
