import { Type } from "@sinclair/typebox";
import { ApiCancelled, ApiDeployment, toApiDeployment, toApiEnd } from "../../api/deployment.ts";
import { toApiPage } from "../../api/page.ts";
import { Conflict, NotFound } from "../../api/problem.ts";
import { DEPLOYMENT_STATES, hasEnded } from "../../domain/deployment.ts";
import { followOutput } from "../../flow/follow.ts";
import { respond, respondWithText } from "../responses.ts";
import { acceptsEventStream, EVENT_STREAM, respondWithEventStream, type StreamedEvent } from "../sse.ts";
import { choiceOf, IdText, Input, jsonBody, Line, NameText, readRange } from "./request.ts";
import { createRoutes, describeList, describeResponses, describeRoute } from "./route.ts";
import type { AdminServices } from "./services.ts";
import { explainWaits } from "./waits.ts";

const params = Type.Object({ id: IdText });
const UNKNOWN = { status: "not found", reason: "there is no such deployment" };

/** The routes that show and cancel deployments. */
export function deployments(services: AdminServices) {
  const { store, operator } = services;
  return createRoutes()
    .get(
      "/api/deployments",
      async ({ query }) => {
        const { target = null, state = null, source = null, host = null } = query;
        const page = await store.listDeployments({ target, state, source, host }, readRange(query));
        const waits = await explainWaits(page.items, store);
        return toApiPage(page, (each) => toApiDeployment(each, waits.get(each.id)));
      },
      describeList("deployments", "List deployments, newest first", ApiDeployment, {
        target: Type.Optional(NameText),
        state: Type.Optional(choiceOf(DEPLOYMENT_STATES)),
        source: Type.Optional(NameText),
        host: Type.Optional(NameText),
      }),
    )
    .get(
      "/api/deployments/:id",
      async ({ params, status }) => {
        const deployment = await store.readDeployment(Number(params.id));
        if (deployment === null) return status(404, UNKNOWN);
        const waits = await explainWaits([deployment], store);
        return toApiDeployment(deployment, waits.get(deployment.id));
      },
      {
        params,
        ...describeRoute("deployments", "Show a deployment", { 200: ApiDeployment, 404: NotFound }),
      },
    )
    .get(
      "/api/deployments/:id/log",
      ({ params, request }) => respondWithLog(Number(params.id), request, services),
      {
        params,
        query: Input({}),
        detail: {
          tags: ["deployments"],
          summary: "Read or follow the output of a deployment",
          description:
            "As an event stream, each line is an event `line` with an increasing id; `Last-Event-ID` resumes after that line. When the deployment has ended, an event `end` follows, whose data is `{ state, code, reason, id }`.",
          responses: describeResponses("The output", ["text/plain", EVENT_STREAM], { 404: NotFound }),
        },
      },
    )
    .post(
      "/api/deployments/:id/cancel",
      async ({ params, body, status }) => {
        const outcome = await operator.cancel(Number(params.id), body.by ?? "admin");
        if (outcome.kind === "unknown deployment") return status(404, UNKNOWN);
        const deployment = toApiDeployment(outcome.deployment);
        if (outcome.kind === "cancelled") return status(200, { status: "cancelled", deployment });
        if (outcome.kind === "cancelling") return status(202, { status: "cancelling", deployment });
        const { state } = outcome.deployment;
        const how = hasEnded(state) ? `has ended: ${state}` : "is already ending";
        return status(409, { status: "ended", reason: `the deployment ${how}` });
      },
      {
        params,
        ...jsonBody({ by: Type.Optional(Line) }),
        ...describeRoute("deployments", "Cancel a queued or running deployment", {
          200: ApiCancelled,
          202: ApiCancelled,
          404: NotFound,
          409: Conflict,
        }),
      },
    );
}

async function respondWithLog(id: number, request: Request, services: AdminServices): Promise<Response> {
  const { store } = services;
  if ((await store.readDeployment(id)) === null) return respond(404, UNKNOWN);
  if (!acceptsEventStream(request.headers)) {
    return respondWithText(readLines(id, services));
  }
  return respondWithEventStream((lastId, signal) => streamOutput(id, lastId, services, signal), {
    ...services,
    request,
  });
}

/** The id of a line is its number plus one, because 0 means that the client has no line yet. */
async function* streamOutput(
  id: number,
  lastId: number | null,
  services: AdminServices,
  signal: AbortSignal,
): AsyncGenerator<readonly StreamedEvent[]> {
  for await (const each of followOutput(id, (lastId ?? 0) - 1, services, signal)) {
    yield each.kind === "lines"
      ? each.lines.map(({ line, text }) => ({ id: line + 1, event: "line", data: text }))
      : [{ id: null, event: "end", data: JSON.stringify(toApiEnd(each.deployment)) }];
  }
}

/** Lines that are read at once for the plain log. */
const LINES_AT_ONCE = 500;

/** The output so far as text, in parts. */
async function* readLines(id: number, { store }: AdminServices): AsyncGenerator<string> {
  for (let last = -1; ; ) {
    const lines = await store.readOutputAfter(id, last, LINES_AT_ONCE);
    const newest = lines.at(-1);
    if (newest === undefined) return;
    last = newest.line;
    yield lines.map(({ text }) => `${text}\n`).join("");
  }
}
