import { toOpenAPISchema } from "@elysiajs/openapi/openapi";
import { Type } from "@sinclair/typebox";
import type { AnyElysia } from "elysia";
import { clients } from "./clients.ts";
import { deliveries } from "./deliveries.ts";
import { deployments } from "./deployments.ts";
import { events } from "./events.ts";
import { respondToError } from "./problems.ts";
import { COMMON_PROBLEMS, createRoutes } from "./schema.ts";
import { server } from "./server.ts";
import type { AdminServices } from "./services.ts";
import { targets } from "./targets.ts";

/** Creates the admin API's routes. Errors in any of them are handled in one place. */
export function createAdminApp(services: AdminServices) {
  const app = createRoutes()
    .onError(({ error, request }) => respondToError(error, request, app.routes, services.log))
    .use(server(services))
    .use(targets(services))
    .use(deployments(services))
    .use(deliveries(services))
    .use(clients(services))
    .use(events(services));
  return app.get("/openapi.json", () => describeApi(app, services.about().version), {
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
        "Inspect and operate a running hooklatch. Times are RFC 3339 in UTC, lists come newest first.",
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
