import { toApiServerEvent } from "../../api/server-event.ts";
import { type EventBus, waitFor } from "../../flow/event-bus.ts";
import { EVENT_STREAM, respondWithEventStream, type StreamedEvent } from "../sse.ts";
import { Input } from "./request.ts";
import { createRoutes, describeResponses } from "./route.ts";
import type { AdminServices } from "./services.ts";

/** The route that streams all events. */
export function events(services: AdminServices) {
  const { eventBus } = services;
  return createRoutes().get(
    "/api/events",
    ({ request }) => {
      const newest = eventBus.since(0).at(-1)?.id ?? 0;
      return respondWithEventStream((lastId, signal) => follow(lastId ?? newest, eventBus, signal), {
        ...services,
        request,
      });
    },
    {
      query: Input({}),
      detail: {
        tags: ["events"],
        summary: "Follow all events",
        description:
          "Events `delivery`, `deployment`, `lock` and `client`, whose data is JSON. `Last-Event-ID` resumes after that event while it is among the latest thousand.",
        responses: describeResponses("The events", [EVENT_STREAM]),
      },
    },
  );
}

/** Queues nothing for a slow reader. It reads from the event bus, which stores the latest events once for all readers. */
async function* follow(
  after: number,
  eventBus: EventBus,
  signal: AbortSignal,
): AsyncGenerator<readonly StreamedEvent[]> {
  const waiter = waitFor(eventBus, ({ kind }) => kind !== "output", signal);
  try {
    let last = after;
    while (!signal.aborted) {
      waiter.reset();
      const events = eventBus.since(last);
      last = events.at(-1)?.id ?? last;
      if (events.length > 0) {
        yield events.map(({ id, at, event }) => ({
          id,
          event: event.kind,
          data: toApiServerEvent(event, at),
        }));
      }
      if (!signal.aborted) await waiter.wait();
    }
  } finally {
    waiter.stop();
  }
}
