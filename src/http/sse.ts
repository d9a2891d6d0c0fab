import { setImmediate as nextTurn } from "node:timers/promises";
import type { FlowServices } from "../flow/services.ts";
import { respondProblem } from "./responses.ts";

/** The media type of an event stream (HTML standard, "Server-sent events"). */
export const EVENT_STREAM = "text/event-stream";

/** One event of a stream. */
export interface StreamedEvent {
  /** The id after which a client resumes; null leaves the previous one. */
  readonly id: number | null;
  /** The event's type. */
  readonly event: string;
  readonly data: string;
}

/** Milliseconds between two comments on a quiet stream. They reveal a connection that is closed. */
const HEARTBEAT_INTERVAL = 15_000;

/** A comment, which clients ignore. */
const HEARTBEAT = ":\n\n";

/** Whether a request accepts an event stream. */
export function acceptsEventStream(headers: Headers): boolean {
  const accepted = (headers.get("accept") ?? "").toLowerCase().split(",");
  return accepted.some((type) => type.split(";")[0]?.trim() === EVENT_STREAM);
}

/**
 * Encodes an event. CR, LF and CRLF all end a line in a stream, so each line of the data becomes a field; the client
 * joins them with LF.
 */
export function frameEvent({ id, event, data }: StreamedEvent): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `${id === null ? "" : `id: ${id}\n`}event: ${event}\n${lines.join("")}\n`;
}

/** The request of an event stream and the services that it uses. */
export interface StreamServices extends Pick<FlowServices, "clock" | "log"> {
  readonly request: Request;
  /** Ends the stream, which the client may resume later. */
  readonly closing: AbortSignal;
}

/**
 * Responds with an event stream, or 422 for an invalid Last-Event-ID. `open` gets the id of the last event that the
 * client received, null for a new client, and a signal that is aborted when the client disconnects. It yields batches of
 * events, which are read as fast as the client takes them, one batch in each turn of the event loop.
 */
export function respondWithEventStream(
  open: (lastId: number | null, signal: AbortSignal) => AsyncGenerator<readonly StreamedEvent[]>,
  { request, clock, log, closing }: StreamServices,
): Response {
  const lastId = request.headers.get("last-event-id");
  if (lastId !== null && !/^\d{1,16}$/.test(lastId)) {
    return respondProblem("invalid request", { reason: "Last-Event-ID: expected the id of an event" });
  }
  const ended = new AbortController();
  const enders = [request.signal, closing];
  const events = open(lastId === null ? null : Number(lastId), ended.signal);
  const encoder = new TextEncoder();
  let next: Promise<IteratorResult<readonly StreamedEvent[]>> | null = null;
  let isCancelled = false;

  function end(): void {
    ended.abort();
    for (const ender of enders) ender.removeEventListener("abort", end);
    // Otherwise a generator that has yielded an event would never unsubscribe.
    events
      .return(undefined)
      .catch((error: unknown) => log.error({ err: error }, "could not end an event stream"));
  }

  for (const ender of enders) ender.addEventListener("abort", end);
  if (enders.some(({ aborted }) => aborted)) end();

  /** The next encoded events, a heartbeat when there is none for a while, null at the end. */
  async function read(): Promise<string | null> {
    next ??= events.next();
    const sleeping = new AbortController();
    const result = await Promise.race([next, clock.sleep(HEARTBEAT_INTERVAL, sleeping.signal)]);
    sleeping.abort();
    if (result === undefined) return HEARTBEAT;
    next = null;
    // Otherwise a few clients that read fast would delay all other requests.
    await nextTurn();
    return result.done === true ? null : result.value.map(frameEvent).join("");
  }

  const body = new ReadableStream<Uint8Array>({
    // Makes the runtime send the headers at once.
    start: (controller) => controller.enqueue(encoder.encode(HEARTBEAT)),
    async pull(controller) {
      const text = await read().catch((error: unknown) => {
        log.error({ err: error }, "internal error in an event stream");
        return null;
      });
      if (isCancelled) return;
      if (text !== null && !ended.signal.aborted) return controller.enqueue(encoder.encode(text));
      end();
      controller.close();
    },
    cancel() {
      isCancelled = true;
      end();
    },
  });
  return new Response(body, { headers: { "content-type": EVENT_STREAM, "x-accel-buffering": "no" } });
}
