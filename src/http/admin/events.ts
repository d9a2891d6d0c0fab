import type { ServerEvent } from "../../domain/server-event.ts";
import { type EventBus, type NumberedEvent, waitFor } from "../../flow/event-bus.ts";
import { EVENT_STREAM } from "../media-type.ts";
import { respondRefused } from "../responses.ts";
import { answerEventStream, readLastEventId, type StreamedEvent } from "../sse.ts";
import { describeDeployment } from "./deployments.ts";
import { createRoutes, describeAnswers, NO_QUERY } from "./schema.ts";
import type { AdminServices } from "./services.ts";
import { describeLock } from "./targets.ts";

/** Everything that happens, as it happens. */
export function events(tools: AdminServices) {
  return createRoutes().get("/api/events", ({ request }) => answerEvents(request, tools), {
    query: NO_QUERY,
    detail: {
      tags: ["events"],
      summary: "Follow everything that happens",
      description:
        "Events `delivery`, `deployment`, `lock` and `client`, each with JSON as its data. Resumes after `Last-Event-ID` as long as what came since is among the latest thousand.",
      responses: describeAnswers("Events as they come", [EVENT_STREAM]),
    },
  });
}

function answerEvents(request: Request, tools: AdminServices): Response {
  const { broadcast } = tools;
  const seen = readLastEventId(request.headers);
  if (seen === "invalid") {
    return respondRefused("invalid request", { reason: "Last-Event-ID: expected the id of an event" });
  }
  const after = seen ?? broadcast.since(0).at(-1)?.id ?? 0;
  return answerEventStream((signal) => follow(after, broadcast, signal), { ...tools, request });
}

/** Nothing is queued for a slow reader: what it has not taken yet is read from what is kept for all. */
async function* follow(
  after: number,
  broadcast: EventBus,
  signal: AbortSignal,
): AsyncGenerator<StreamedEvent> {
  const news = waitFor(broadcast, ({ kind }) => kind !== "output", signal);
  try {
    let last = after;
    while (!signal.aborted) {
      news.reset();
      for (const numbered of broadcast.since(last)) {
        last = numbered.id;
        yield describeHappening(numbered);
      }
      if (!signal.aborted) await news.wait();
    }
  } finally {
    news.stop();
  }
}

function describeHappening({ id, at, event }: NumberedEvent): StreamedEvent {
  const data = JSON.stringify({ at: at.toISOString(), ...describe(event) });
  return { id, event: event.kind, data };
}

function describe(happening: ServerEvent): Readonly<Record<string, unknown>> {
  switch (happening.kind) {
    case "deployment":
      return { deployment: describeDeployment(happening.deployment) };
    case "lock": {
      const { target, lock } = happening;
      return { target, locked: lock === null ? null : describeLock(lock) };
    }
    default: {
      const { kind: _, ...told } = happening;
      return told;
    }
  }
}
