import { toOpenAPISchema } from "@elysiajs/openapi/openapi";
import type { AnyElysia } from "elysia";

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
