import { Type } from "@sinclair/typebox";
import { clients } from "./clients.ts";
import { deliveries } from "./deliveries.ts";
import { deployments } from "./deployments.ts";
import { describeApi } from "./description.ts";
import { events } from "./events.ts";
import { answerProblem } from "./problems.ts";
import { COMMON_PROBLEMS, createRoutes } from "./schema.ts";
import { server } from "./server.ts";
import { targets } from "./targets.ts";
import type { AdminTools } from "./tools.ts";

/** Every noun's routes. What goes wrong in any of them is answered in one place. */
export function assemble(tools: AdminTools) {
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
