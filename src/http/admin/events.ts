import type { ServerEvent } from "../../domain/server-event.ts";
import { type EventBus, type NumberedEvent, waitFor } from "../../flow/event-bus.ts";
import { EVENT_STREAM } from "../media-type.ts";
import { respondProblem } from "../responses.ts";
import { readLastEventId, respondWithEventStream, type StreamedEvent } from "../sse.ts";
import { describeDeployment } from "./deployments.ts";
import { createRoutes, describeResponses, NO_QUERY } from "./schema.ts";
import type { AdminServices } from "./services.ts";
import { describeLock } from "./targets.ts";

/** The route that streams all events. */
export function events(services: AdminServices) {
  return createRoutes().get("/api/events", ({ request }) => respondWithEvents(request, services), {
    query: NO_QUERY,
    detail: {
      tags: ["events"],
      summary: "Follow all events",
      description:
        "Events `delivery`, `deployment`, `lock` and `client`, each with JSON as its data. Resumes after `Last-Event-ID` as long as what came since is among the latest thousand.",
      responses: describeResponses("Events as they happen", [EVENT_STREAM]),
    },
  });
}

function respondWithEvents(request: Request, services: AdminServices): Response {
  const { eventBus } = services;
  const seen = readLastEventId(request.headers);
  if (seen === "invalid") {
    return respondProblem("invalid request", { reason: "Last-Event-ID: expected the id of an event" });
  }
  const after = seen ?? eventBus.since(0).at(-1)?.id ?? 0;
  return respondWithEventStream((signal) => follow(after, eventBus, signal), { ...services, request });
}

/** Nothing is queued for a slow reader: it reads on from the events that are kept for everybody. */
async function* follow(
  after: number,
  eventBus: EventBus,
  signal: AbortSignal,
): AsyncGenerator<StreamedEvent> {
  const events = waitFor(eventBus, ({ kind }) => kind !== "output", signal);
  try {
    let last = after;
    while (!signal.aborted) {
      events.reset();
      for (const numbered of eventBus.since(last)) {
        last = numbered.id;
        yield describeNumbered(numbered);
      }
      if (!signal.aborted) await events.wait();
    }
  } finally {
    events.stop();
  }
}

function describeNumbered({ id, at, event }: NumberedEvent): StreamedEvent {
  const data = JSON.stringify({ at: at.toISOString(), ...describe(event) });
  return { id, event: event.kind, data };
}

function describe(event: ServerEvent): Readonly<Record<string, unknown>> {
  switch (event.kind) {
    case "deployment":
      return { deployment: describeDeployment(event.deployment) };
    case "lock": {
      const { target, lock } = event;
      return { target, locked: lock === null ? null : describeLock(lock) };
    }
    default: {
      const { kind: _, ...fields } = event;
      return fields;
    }
  }
}
