import { signal } from "@preact/signals";
import type { ApiDeployment } from "../../api/deployment.ts";
import { openStream } from "./stream.ts";

/** Whether changes of the server arrive. */
export const connection = signal<"connecting" | "live" | "lost">("connecting");

/** The kinds of events in the stream of all events. */
export type EventKind = "delivery" | "deployment" | "lock" | "client";

type Listener = (kind: EventKind | "resumed") => void;

const listeners = new Set<Listener>();

/** The current time in milliseconds, for relative times; it advances every second. */
export const now = signal(Date.now());

/** A sentence for a short time at the edge of the page, which screen readers read. */
export const announcement = signal<{ readonly text: string; readonly isError: boolean } | null>(null);

/** Milliseconds that an announcement is shown. */
const SHOWN = 6_000;

let hiding: ReturnType<typeof setTimeout> | undefined;

/** Shows a sentence. */
export function announce(text: string, isError = false): void {
  clearTimeout(hiding);
  announcement.value = { text, isError };
  hiding = setTimeout(() => {
    announcement.value = null;
  }, SHOWN);
}

/** Calls a listener with the kind of each event, and `resumed` when events may have been missed. Returns the unsubscriber. */
export function subscribe(listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Reads the stream of all events. Returns the function that ends it. */
export function goLive(): () => void {
  const ticking = setInterval(() => {
    now.value = Date.now();
  }, 1_000);
  let isResumed = false;
  const close = openStream("api/events", {
    onState(state) {
      connection.value = state === "open" ? "live" : "lost";
      if (state !== "open") return;
      if (isResumed) for (const listener of [...listeners]) listener("resumed");
      isResumed = true;
    },
    onEvents(events) {
      now.value = Date.now();
      for (const { event, data } of events) {
        if (event === "deployment") announceEnd(data);
        for (const listener of [...listeners]) listener(event as EventKind);
      }
    },
  });
  return () => {
    clearInterval(ticking);
    close();
    connection.value = "connecting";
  };
}

function announceEnd(data: string): void {
  const { deployment } = JSON.parse(data) as { deployment: ApiDeployment };
  const { id, target, state } = deployment;
  if (state === "succeeded") announce(`Deployment ${id} of ${target} succeeded.`);
  if (state === "failed") announce(`Deployment ${id} of ${target} failed.`, true);
}
