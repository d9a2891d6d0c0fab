import type { Happening } from "../../domain/happening.ts";
import type { Broadcast, Numbered } from "../../flow/broadcast.ts";
import { listenFor } from "../../flow/listen-for.ts";
import { refuse } from "../answers.ts";
import { answerEventStream, readLastEventId, type StreamedEvent } from "../event-stream.ts";
import { EVENT_STREAM } from "../media-type.ts";
import { describeDeployment } from "./deployments.ts";
import { createRoutes, describeAnswers, NO_QUERY } from "./schema.ts";
import { describeLock } from "./targets.ts";
import type { AdminTools } from "./tools.ts";

/** Everything that happens, as it happens. */
export function events(tools: AdminTools) {
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

function answerEvents(request: Request, tools: AdminTools): Response {
  const { broadcast } = tools;
  const seen = readLastEventId(request.headers);
  if (seen === "invalid") {
    return refuse("invalid request", { reason: "Last-Event-ID: expected the id of an event" });
  }
  const after = seen ?? broadcast.since(0).at(-1)?.id ?? 0;
  return answerEventStream((signal) => follow(after, broadcast, signal), { ...tools, request });
}

/** Nothing is queued for a slow reader: what it has not taken yet is read from what is kept for all. */
async function* follow(
  after: number,
  broadcast: Broadcast,
  signal: AbortSignal,
): AsyncGenerator<StreamedEvent> {
  const news = listenFor(broadcast, ({ kind }) => kind !== "output", signal);
  try {
    let last = after;
    while (!signal.aborted) {
      news.forget();
      for (const numbered of broadcast.since(last)) {
        last = numbered.id;
        yield describeHappening(numbered);
      }
      if (!signal.aborted) await news.heard();
    }
  } finally {
    news.stop();
  }
}

function describeHappening({ id, at, happening }: Numbered): StreamedEvent {
  const data = JSON.stringify({ at: at.toISOString(), ...describe(happening) });
  return { id, event: happening.kind, data };
}

function describe(happening: Happening): Readonly<Record<string, unknown>> {
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
