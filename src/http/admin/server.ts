import { Type } from "@sinclair/typebox";
import { COMMON_PROBLEMS, Conflict, Unavailable } from "../../api/problem.ts";
import { ApiReloaded } from "../../api/reload.ts";
import { ApiStatus, toApiStatus } from "../../api/status.ts";
import { createRoutes, describeResponses, describeRoute } from "./route.ts";
import type { AdminServices } from "./services.ts";

/** The routes about the server, for people, load balancers and Prometheus. */
export function server(services: AdminServices) {
  const { store, metrics, canAccept, about, readDisks, sources, targets, reload } = services;
  return createRoutes()
    .get(
      "/api/status",
      async () => {
        const [statistics, disks, hosts = null] = await Promise.all([
          store.readStatistics(),
          readDisks(),
          store.fleet?.listHosts(),
        ]);
        return toApiStatus(about(), statistics, {
          sources,
          targets: targets.length,
          disks,
          host: store.host,
          hosts,
        });
      },
      describeRoute("server", "Show the status of the server", { 200: ApiStatus }),
    )
    .post(
      "/api/reload",
      async ({ status }) => {
        const outcome = await reload();
        switch (outcome.kind) {
          case "reloaded": {
            const { needRestart, warnings } = outcome;
            return { status: "reloaded", need_restart: [...needRestart], warnings: [...warnings] } as const;
          }
          case "invalid": {
            const [reason = "the configuration has faults"] = outcome.faults;
            return status(409, { status: "not reloaded", reason, faults: [...outcome.faults] });
          }
          case "not ready":
            return status(503, {
              status: "unavailable",
              reason: "the server does not listen yet, or is stopping",
            });
        }
      },
      describeRoute("server", "Read the configuration again and use it", {
        200: ApiReloaded,
        409: Conflict,
      }),
    )
    .get(
      "/readyz",
      async ({ status }) =>
        !about().draining && (await canAccept())
          ? status(200, { status: "ok" })
          : status(503, { status: "unavailable" }),
      {
        response: { ...COMMON_PROBLEMS, 200: Type.Object({ status: Type.Literal("ok") }), 503: Unavailable },
        detail: { tags: ["server"], summary: "Report whether deliveries are accepted" },
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
          tags: ["server"],
          summary: "Return metrics for Prometheus",
          responses: describeResponses("The Prometheus text format", ["text/plain"]),
        },
      },
    );
}
