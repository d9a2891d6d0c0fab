import type { FlowServices } from "../flow/services.ts";
import { EVENT_STREAM } from "./media-type.ts";

/** One event of a stream, before it is framed. */
export interface StreamedEvent {
  /** What the reader resumes after; null keeps the last one. */
  readonly id: number | null;
  /** The event's type. */
  readonly event: string;
  /** Any text. */
  readonly data: string;
}

/** Milliseconds between two heartbeats, so that a connection that nobody reads any more is noticed. */
const HEARTBEAT = 15_000;

/** A comment, which readers ignore. */
const HEARTBEAT_COMMENT = ":\n\n";

/** Whether the reader asks for an event stream. */
export function acceptsEventStream(headers: Headers): boolean {
  const accepted = (headers.get("accept") ?? "").toLowerCase().split(",");
  return accepted.some((type) => type.split(";")[0]?.trim() === EVENT_STREAM);
}

/** The id of the last event that the reader received; null for a new reader. */
export function readLastEventId(headers: Headers): number | null | "invalid" {
  const text = headers.get("last-event-id");
  if (text === null) return null;
  return /^\d{1,16}$/.test(text) ? Number(text) : "invalid";
}

/**
 * Frames an event (HTML standard, "Server-sent events"). CR, LF and CRLF all end a line there, so each line of the
 * data gets a field of its own; the reader joins them by LF.
 */
export function frameEvent({ id, event, data }: StreamedEvent): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `${id === null ? "" : `id: ${id}\n`}event: ${event}\n${lines.join("")}\n`;
}

/** What an event stream works with. */
export interface StreamServices extends Pick<FlowServices, "clock" | "log"> {
  readonly request: Request;
  /** Ends the stream, which the reader may resume later. */
  readonly closing: AbortSignal;
}

/**
 * Responds with the events as they come, and with a comment when there was none for a while. Requests the events one by
 * one, as fast as the reader takes them. Aborts `open`'s signal when the reader is gone.
 */
export function respondWithEventStream(
  open: (signal: AbortSignal) => AsyncGenerator<StreamedEvent>,
  { request, clock, log, closing }: StreamServices,
): Response {
  const over = new AbortController();
  const enders = [request.signal, closing];
  const events = open(over.signal);
  const encoder = new TextEncoder();
  let next: Promise<IteratorResult<StreamedEvent>> | null = null;
  let isCancelled = false;

  function finish(): void {
    over.abort();
    for (const ender of enders) ender.removeEventListener("abort", finish);
    // A generator that is waiting for its event to be taken would keep its subscriptions.
    events
      .return(undefined)
      .catch((error: unknown) => log.error({ err: error }, "could not end an event stream"));
  }

  for (const ender of enders) ender.addEventListener("abort", finish);
  if (enders.some(({ aborted }) => aborted)) finish();

  /** The next event framed, a heartbeat when none comes for a while, null at the end. */
  async function read(): Promise<string | null> {
    next ??= events.next();
    const waited = new AbortController();
    const result = await Promise.race([next, clock.sleep(HEARTBEAT, waited.signal)]);
    waited.abort();
    if (result === undefined) return HEARTBEAT_COMMENT;
    next = null;
    return result.done === true ? null : frameEvent(result.value);
  }

  const body = new ReadableStream<Uint8Array>({
    // Sends the head of the response at once.
    start: (controller) => controller.enqueue(encoder.encode(HEARTBEAT_COMMENT)),
    async pull(controller) {
      const text = await read().catch((error: unknown) => {
        log.error({ err: error }, "internal error in an event stream");
        return null;
      });
      if (isCancelled) return;
      if (text !== null && !over.signal.aborted) return controller.enqueue(encoder.encode(text));
      finish();
      controller.close();
    },
    cancel() {
      isCancelled = true;
      finish();
    },
  });
  return new Response(body, { headers: { "content-type": EVENT_STREAM, "x-accel-buffering": "no" } });
}
