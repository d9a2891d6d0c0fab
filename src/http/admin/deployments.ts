import { type Static, Type } from "@sinclair/typebox";
import { RESULT_CODES } from "../../domain/codes.ts";
import {
  DEPLOYMENT_STATES,
  type Deployment,
  hasEnded,
  type OutputLine,
  TRIGGERS,
} from "../../domain/deployment.ts";
import { describeResult, toDeploymentFields } from "../../domain/deployment-result.ts";
import { type Followed, followOutput } from "../../flow/follow.ts";
import { EVENT_STREAM } from "../media-type.ts";
import { respond, respondProblem, respondText } from "../responses.ts";
import { acceptsEventStream, readLastEventId, respondWithEventStream, type StreamedEvent } from "../sse.ts";
import { JSON_BODY } from "./json-body.ts";
import { describePage, PAGE_QUERY, pageOf, readRange } from "./page.ts";
import {
  COMMON_PROBLEMS,
  Conflict,
  codeOf,
  createRoutes,
  describeResponses,
  Id,
  IdText,
  Input,
  Line,
  NameText,
  NO_QUERY,
  NotFound,
  oneOf,
  orNull,
  Time,
} from "./schema.ts";
import type { AdminServices } from "./services.ts";

/** A deployment's state. */
export const DeploymentState = oneOf(DEPLOYMENT_STATES);

/** Why a deployment ended in another state than `succeeded`. */
export const ResultCodeShape = codeOf(RESULT_CODES);

/** One run of one target. */
export const DeploymentShape = Type.Object({
  id: Id,
  target: Type.String(),
  state: DeploymentState,
  code: orNull(ResultCodeShape),
  reason: orNull(Type.String({ description: "the code in words, with what it does not say" })),
  trigger: oneOf(TRIGGERS),
  attempt: Type.Integer(),
  retry_of: orNull(Type.Integer({ description: "the interrupted deployment that this one repeats" })),
  retried_as: orNull(Type.Integer({ description: "the deployment that repeats this interrupted one" })),
  superseded_by: orNull(Type.Integer({ description: "the newer deployment that replaced this one" })),
  delivery: orNull(Id),
  pushed_commit: orNull(Type.String()),
  chosen: orNull(Type.String({ description: "the commit or release that a person chose" })),
  branch: orNull(Type.String()),
  commit: orNull(Type.String()),
  previous_commit: orNull(Type.String()),
  release: orNull(Type.String()),
  created_at: Time,
  started_at: orNull(Time),
  ended_at: orNull(Time),
  steps: Type.Array(
    Type.Object({
      command: Type.String(),
      exit_code: orNull(Type.Integer()),
      signal: orNull(Type.String()),
      milliseconds: Type.Number(),
    }),
  ),
});

/** Describes a deployment as JSON. */
export function describeDeployment(deployment: Deployment): Static<typeof DeploymentShape> {
  const { choice } = deployment;
  return {
    id: deployment.id,
    ...toDeploymentFields(deployment),
    chosen: choice?.kind === "commit" ? choice.commit : (choice?.release ?? null),
    steps: deployment.steps.map(({ command, exitCode, signal, milliseconds }) => ({
      command,
      exit_code: exitCode,
      signal,
      milliseconds,
    })),
  };
}

const PARAMS = Type.Object({ id: IdText });

const UNKNOWN = { status: "not found", reason: "there is no such deployment" } as const;

/** The routes that show deployments and cancel them. */
export function deployments(services: AdminServices) {
  const { store, operator } = services;
  return createRoutes()
    .get(
      "/api/deployments",
      async ({ query }) => {
        const { target = null, state = null, source = null } = query;
        const filter = { target, state, source };
        return describePage(await store.listDeployments(filter, readRange(query)), describeDeployment);
      },
      {
        query: Input({
          target: Type.Optional(NameText),
          state: Type.Optional(DeploymentState),
          source: Type.Optional(NameText),
          ...PAGE_QUERY,
        }),
        response: { 200: pageOf(DeploymentShape), ...COMMON_PROBLEMS },
        detail: { tags: ["deployments"], summary: "List deployments, newest first" },
      },
    )
    .get(
      "/api/deployments/:id",
      async ({ params, status }) => {
        const deployment = await store.readDeployment(Number(params.id));
        return deployment === null ? status(404, UNKNOWN) : describeDeployment(deployment);
      },
      {
        params: PARAMS,
        query: NO_QUERY,
        response: { 200: DeploymentShape, 404: NotFound, ...COMMON_PROBLEMS },
        detail: { tags: ["deployments"], summary: "Show a deployment" },
      },
    )
    .get(
      "/api/deployments/:id/log",
      ({ params, request }) => respondWithLog(Number(params.id), request, services),
      {
        params: PARAMS,
        query: NO_QUERY,
        detail: {
          tags: ["deployments"],
          summary: "Read or follow a deployment's output",
          description:
            "As an event stream: an event `line` for each line, with an id to resume after by `Last-Event-ID`, and at last an event `end` whose data is `{ state, code, reason, id }`.",
          responses: describeResponses("The output", ["text/plain", EVENT_STREAM], {
            404: NotFound,
          }),
        },
      },
    )
    .post(
      "/api/deployments/:id/cancel",
      async ({ params, body, status }) => {
        const outcome = await operator.cancel(Number(params.id), body.by ?? "admin");
        if (outcome.kind === "unknown deployment") return status(404, UNKNOWN);
        const deployment = describeDeployment(outcome.deployment);
        if (outcome.kind === "cancelled") return status(200, { status: "cancelled", deployment });
        if (outcome.kind === "cancelling") return status(202, { status: "cancelling", deployment });
        const how = hasEnded(deployment.state) ? `has ended: ${deployment.state}` : "is ending already";
        return status(409, { status: "ended", reason: `the deployment ${how}` });
      },
      {
        params: PARAMS,
        query: NO_QUERY,
        parse: JSON_BODY,
        body: Input({ by: Type.Optional(Line) }),
        response: {
          200: Type.Object({ status: Type.Literal("cancelled"), deployment: DeploymentShape }),
          202: Type.Object({ status: Type.Literal("cancelling"), deployment: DeploymentShape }),
          404: NotFound,
          409: Conflict,
          ...COMMON_PROBLEMS,
        },
        detail: { tags: ["deployments"], summary: "Cancel a queued or running deployment" },
      },
    );
}

async function respondWithLog(id: number, request: Request, services: AdminServices): Promise<Response> {
  const { store } = services;
  if ((await store.readDeployment(id)) === null) return respond(404, UNKNOWN);
  if (!acceptsEventStream(request.headers)) {
    return respondText((await store.readOutput(id)).map((line) => `${line}\n`).join(""));
  }
  const seen = readLastEventId(request.headers);
  if (seen === "invalid") {
    return respondProblem("invalid request", { reason: "Last-Event-ID: expected the id of an event" });
  }
  // A line's id is its number plus one: an id of 0 would mean that nothing was seen.
  const after = (seen ?? 0) - 1;
  return respondWithEventStream((signal) => streamOutput(followOutput(id, after, services, signal)), {
    ...services,
    request,
  });
}

async function* streamOutput(followed: AsyncGenerator<Followed>): AsyncGenerator<StreamedEvent> {
  for await (const each of followed) {
    yield each.kind === "line" ? describeLine(each) : describeEnd(each.deployment);
  }
}

function describeLine({ line, text }: OutputLine): StreamedEvent {
  return { id: line + 1, event: "line", data: text };
}

function describeEnd(deployment: Deployment): StreamedEvent {
  const { id, state, code } = deployment;
  const data = JSON.stringify({ state, code, reason: describeResult(deployment), id });
  return { id: null, event: "end", data };
}
