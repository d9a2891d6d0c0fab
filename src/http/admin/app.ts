import { toOpenAPISchema } from "@elysiajs/openapi/openapi";
import { Type } from "@sinclair/typebox";
import { ValueErrorType } from "@sinclair/typebox/errors";
import { type AnyElysia, NotFoundError, ParseError, ValidationError } from "elysia";
import { COMMON_PROBLEMS } from "../../api/problem.ts";
import type { Log } from "../../lib/log.ts";
import { respondInternalError, respondMethodNotAllowed, respondProblem } from "../responses.ts";
import { clients } from "./clients.ts";
import { deliveries } from "./deliveries.ts";
import { deployments } from "./deployments.ts";
import { events } from "./events.ts";
import { hosts } from "./hosts.ts";
import { refusals } from "./refusals.ts";
import { BodyRefused } from "./request.ts";
import { createRoutes } from "./route.ts";
import { server } from "./server.ts";
import type { AdminServices } from "./services.ts";
import { targets } from "./targets.ts";

/** Creates the routes of the admin API. */
export function createAdminApp(services: AdminServices) {
  const app = createRoutes()
    .onError(({ error, request }) => respondToError(error, request, app.routes, services.log))
    .use(server(services))
    .use(hosts(services))
    .use(targets(services))
    .use(deployments(services))
    .use(deliveries(services))
    .use(refusals(services))
    .use(clients(services))
    .use(events(services));
  return app.get("/openapi.json", () => describeApi(app, services.about().version), {
    response: { 200: Type.Record(Type.String(), Type.Unknown()), ...COMMON_PROBLEMS },
    detail: { tags: ["server"], summary: "Describe the API" },
  });
}

/** Describes every route (OpenAPI 3.1). */
function describeApi(app: AnyElysia, version: string) {
  const { paths, components } = toOpenAPISchema(app, { staticFile: false });
  const token = { type: "http", scheme: "bearer", description: "the admin token" };
  return {
    openapi: "3.1.2",
    info: {
      title: "hooklatch",
      version,
      description:
        "Inspect and operate a running hooklatch. Times are RFC 3339 in UTC. Lists are sorted newest first.",
    },
    security: [{ token: [] }],
    paths,
    components: { ...components, securitySchemes: { token } },
  };
}

type Routes = readonly { readonly method: string; readonly path: string }[];

/**
 * Responds to an error in a route, and to a request without a route. The framework's own responses would repeat the
 * input, and would report a response that does not match its schema as the client's error.
 */
function respondToError(error: unknown, request: Request, routes: Routes, log: Log): Response {
  if (error instanceof NotFoundError) return respondToUnrouted(new URL(request.url).pathname, routes);
  if (error instanceof ParseError && error.cause instanceof BodyRefused) return error.cause.response;
  // Only a client with the token gets here: the log needs no throttling.
  const fail = (cause: unknown) =>
    respondInternalError(cause, log, (fields, text) => log.error(fields, text));
  if (!(error instanceof ValidationError)) return fail(error);
  if (error.type === "params") return respondProblem("not found");
  if (error.type !== "response") return respondProblem("invalid request", { reason: describeInput(error) });
  return fail(new Error(`a response does not match its schema at ${error.valueError?.path || "its root"}`));
}

/** 405 for a known path (RFC 9110, section 15.5.6), 404 for any other. */
function respondToUnrouted(path: string, routes: Routes): Response {
  const methods = routes.filter((route) => matchesPath(path, route.path)).map(({ method }) => method);
  if (methods.length === 0) return respondProblem("not found");
  return respondMethodNotAllowed(methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : method)));
}

function matchesPath(path: string, pattern: string): boolean {
  const parts = path.split("/");
  const expected = pattern.split("/");
  return (
    parts.length === expected.length &&
    expected.every((part, at) => (part.startsWith(":") ? parts[at] !== "" : part === parts[at]))
  );
}

/** Names the invalid field and what was expected, never the value. */
function describeInput({ type, valueError }: ValidationError): string {
  const field = (valueError?.path ?? "").slice(1, 100) || "the body";
  if (valueError?.type === ValueErrorType.ObjectAdditionalProperties) {
    return `${field}: unknown ${type === "query" ? "parameter" : "field"}`;
  }
  return `${field}: expected ${valueError?.schema.expected ?? "another value"}`;
}
