import { type Deployment, hasEnded, type OutputLine } from "../domain/deployment.ts";
import type { ServerEvent } from "../domain/server-event.ts";
import { waitFor } from "./event-bus.ts";
import type { FlowServices } from "./services.ts";

/** What a follower of a deployment's output receives. */
export type Followed =
  | { readonly kind: "line"; readonly line: number; readonly text: string }
  | { readonly kind: "end"; readonly deployment: Deployment };

/** How many lines are in memory at once, however slow the follower is. */
const BATCH = 500;

/**
 * Yields each stored line with a number greater than `after` (-1 for all) once, in order, as it arrives; then `end` when
 * the deployment has ended. Waits for one that is queued. Returns early when `signal` is aborted, or when the deployment
 * is not stored (any more).
 */
export async function* followOutput(
  id: number,
  after: number,
  { store, eventBus }: Pick<FlowServices, "store" | "eventBus">,
  signal: AbortSignal,
): AsyncGenerator<Followed> {
  // Subscribes before it reads: an event in between wakes the next round.
  const events = waitFor(eventBus, (event) => concerns(event, id), signal);
  let last = after;
  try {
    while (!signal.aborted) {
      events.reset();
      // The state before the lines: all lines of an ended deployment are stored.
      const deployment = await store.readDeployment(id);
      if (deployment === null) return;
      for await (const line of readLines(id, last, store)) {
        if (signal.aborted) return;
        last = line.line;
        yield { kind: "line", ...line };
      }
      if (signal.aborted) return;
      if (hasEnded(deployment.state)) return yield { kind: "end", deployment };
      await events.wait();
    }
  } finally {
    events.stop();
  }
}

/** Yields every line that is stored now. */
async function* readLines(
  id: number,
  after: number,
  store: FlowServices["store"],
): AsyncGenerator<OutputLine> {
  let batch = await store.readOutputAfter(id, after, BATCH);
  for (let last = batch.at(-1); last !== undefined; last = batch.at(-1)) {
    yield* batch;
    batch = await store.readOutputAfter(id, last.line, BATCH);
  }
}

/** Whether the event may bring new lines or the end. */
function concerns(event: ServerEvent, id: number): boolean {
  if (event.kind === "output") return event.deployment === id;
  return event.kind === "deployment" && event.deployment.id === id;
}
