import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { EVENT_STREAM } from "./media-type.ts";

/** One event of a stream, before it is framed. */
export interface StreamedEvent {
  /** What the reader resumes after; null leaves the last one standing. */
  readonly id: number | null;
  /** A word of ours. */
  readonly event: string;
  /** Any text. */
  readonly data: string;
}

/** Milliseconds between two signs of life, so that a connection which nobody reads any more is noticed. */
const HEARTBEAT = 15_000;

/** A comment: readers ignore it. */
const SIGN_OF_LIFE = ":\n\n";

/** Whether the reader asks for an event stream. */
export function acceptsEventStream(headers: Headers): boolean {
  const accepted = (headers.get("accept") ?? "").toLowerCase().split(",");
  return accepted.some((type) => type.split(";")[0]?.trim() === EVENT_STREAM);
}

/** The id of the last event that the reader saw; null when it comes for the first time. */
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
export interface StreamTools {
  readonly request: Request;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the stream, which the reader may resume later. */
  readonly closing: AbortSignal;
}

/**
 * Answers with the events as they come, and with a comment whenever there was none for a while. Events are asked for
 * one by one, as fast as the reader takes them. `open`'s signal is aborted when the reader is gone.
 */
export function answerEventStream(
  open: (signal: AbortSignal) => AsyncGenerator<StreamedEvent>,
  { request, clock, log, closing }: StreamTools,
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
    // One that handed on an event which nobody takes any more would wait there, and what it listens to stay subscribed.
    events
      .return(undefined)
      .catch((error: unknown) => log.error({ err: error }, "an event stream did not end well"));
  }

  for (const ender of enders) ender.addEventListener("abort", finish);
  if (enders.some(({ aborted }) => aborted)) finish();

  /** The next event framed, a sign of life when it lets itself be waited for, null when there is none any more. */
  async function read(): Promise<string | null> {
    next ??= events.next();
    const waited = new AbortController();
    const result = await Promise.race([next, clock.sleep(HEARTBEAT, waited.signal)]);
    waited.abort();
    if (result === undefined) return SIGN_OF_LIFE;
    next = null;
    return result.done === true ? null : frameEvent(result.value);
  }

  const body = new ReadableStream<Uint8Array>({
    // Brings the head of the answer on its way.
    start: (controller) => controller.enqueue(encoder.encode(SIGN_OF_LIFE)),
    async pull(controller) {
      const text = await read().catch((error: unknown) => {
        log.error({ err: error }, "an event stream broke off");
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
