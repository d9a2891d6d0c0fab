import { createParser, type EventSourceMessage } from "eventsource-parser";
import { OWN_HEADERS, session } from "./request.ts";

/** What a stream does with what it receives. */
export interface StreamOptions {
  /** Receives the events of one read, in order. */
  readonly onEvents: (events: readonly EventSourceMessage[]) => void;
  /** Called when the stream is open, and when it is lost and will be tried again. */
  readonly onState?: (state: "open" | "lost") => void;
}

/**
 * Milliseconds without a byte after which a connection counts as lost. The server sends something every 15 s. The time is
 * that of the clock, so that a computer that has slept notices within {@link CHECK_INTERVAL}.
 */
const SILENCE = 40_000;
const CHECK_INTERVAL = 5_000;

/** Milliseconds before the first further attempt; doubled up to the longest. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;

/** Milliseconds after which a hidden page gives up its connection: browsers open at most six to a host. */
const HIDDEN_FOR = 60_000;

/**
 * Reads an event stream until it is closed, and resumes it after the last received event when the connection is lost, the
 * server was restarted, or the computer has slept. EventSource would give up at the first response that is not 200, would
 * not report that the session has ended, and would not notice a connection that died silently. Returns the function that
 * closes it.
 */
export function openStream(path: string, { onEvents, onState = () => {} }: StreamOptions): () => void {
  const closed = new AbortController();
  let lastId = "";
  let connection = new AbortController();
  let wake = () => {};
  let hiding: ReturnType<typeof setTimeout> | undefined;

  function onVisibility(): void {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(() => connection.abort(), HIDDEN_FOR);
    else wake();
  }

  async function read(): Promise<"ended" | "lost"> {
    connection = new AbortController();
    let lastByte = Date.now();
    const checking = setInterval(() => {
      if (Date.now() - lastByte > SILENCE) connection.abort();
    }, CHECK_INTERVAL);
    const signal = AbortSignal.any([connection.signal, closed.signal]);
    const resume: Record<string, string> = lastId === "" ? {} : { "last-event-id": lastId };
    const headers = { ...OWN_HEADERS, accept: "text/event-stream", ...resume };
    try {
      const response = await fetch(path, { headers, signal, cache: "no-store" });
      if (response.status === 401) session.value = "none";
      if (response.status === 404 || response.status === 401) return "ended";
      if (!response.ok || response.body === null) return "lost";
      onState("open");
      let events: EventSourceMessage[] = [];
      const parser = createParser({ onEvent: (event) => events.push(event) });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return "lost";
        lastByte = Date.now();
        parser.feed(value);
        if (events.length === 0) continue;
        lastId = events.findLast(({ id }) => id !== undefined)?.id ?? lastId;
        const received = events;
        events = [];
        onEvents(received);
      }
    } catch {
      // A connection that breaks, or that this page aborts, rejects a read.
      return "lost";
    } finally {
      clearInterval(checking);
    }
  }

  async function run(): Promise<void> {
    let wait = FIRST_WAIT;
    while (!closed.signal.aborted) {
      const since = Date.now();
      if ((await read()) === "ended" || closed.signal.aborted) return;
      if (Date.now() - since > LONGEST_WAIT) wait = FIRST_WAIT;
      if (!document.hidden) onState("lost");
      await new Promise<void>((resolve) => {
        wake = resolve;
        // A hidden page waits until it is shown again.
        if (!document.hidden) setTimeout(resolve, wait);
      });
      wake = () => {};
      wait = Math.min(wait * 2, LONGEST_WAIT);
    }
  }

  const onOnline = () => wake();
  document.addEventListener("visibilitychange", onVisibility);
  window.addEventListener("online", onOnline);
  void run();
  return () => {
    document.removeEventListener("visibilitychange", onVisibility);
    window.removeEventListener("online", onOnline);
    clearTimeout(hiding);
    closed.abort();
    wake();
  };
}
