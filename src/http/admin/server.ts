import { Type } from "@sinclair/typebox";
import {
  COMMON_PROBLEMS,
  createRoutes,
  describeResponses,
  NO_QUERY,
  orNull,
  Time,
  Unavailable,
} from "./schema.ts";
import type { AdminServices } from "./services.ts";

const DETAIL = { tags: ["server"] };

/** The routes about the server itself: for people, for load balancers, for Prometheus. */
export function server({ store, metrics, canAccept, about, sources, targets }: AdminServices) {
  return createRoutes()
    .get(
      "/api/status",
      async () => {
        const { version, startedAt, draining, publicUrl, certificateExpiresAt } = about();
        const { bytes, queued, running } = await store.readStatistics();
        return {
          status: draining ? ("stopping" as const) : ("ok" as const),
          version,
          started_at: startedAt.toISOString(),
          public_url: publicUrl,
          sources: sources.map(({ name, provider, path }) => ({ name, provider, path })),
          targets: targets.length,
          queued,
          running,
          store_bytes: bytes,
          certificate_expires_at: certificateExpiresAt?.toISOString() ?? null,
        };
      },
      {
        query: NO_QUERY,
        response: {
          200: Type.Object({
            status: Type.Union([Type.Literal("ok"), Type.Literal("stopping")]),
            version: Type.String(),
            started_at: Time,
            public_url: orNull(Type.String()),
            sources: Type.Array(
              Type.Object({ name: Type.String(), provider: Type.String(), path: Type.String() }),
            ),
            targets: Type.Integer(),
            queued: Type.Integer(),
            running: Type.Integer(),
            store_bytes: Type.Integer(),
            certificate_expires_at: orNull(Time),
          }),
          ...COMMON_PROBLEMS,
        },
        detail: { ...DETAIL, summary: "Show the server's status" },
      },
    )
    .get(
      "/readyz",
      async ({ status }) =>
        !about().draining && (await canAccept())
          ? status(200, { status: "ok" })
          : status(503, { status: "unavailable" }),
      {
        response: { 200: Type.Object({ status: Type.Literal("ok") }), ...COMMON_PROBLEMS, 503: Unavailable },
        detail: { ...DETAIL, summary: "Whether deliveries are accepted" },
      },
    )
    .get(
      "/metrics",
      async () => {
        const { text, contentType } = await metrics.read();
        return new Response(text, { headers: { "content-type": contentType } });
      },
      {
        detail: {
          ...DETAIL,
          summary: "Metrics for Prometheus",
          responses: describeResponses("The Prometheus text format", ["text/plain"]),
        },
      },
    );
}
