import { type Deployment, hasEnded, type OutputLine } from "../domain/deployment.ts";
import type { ServerEvent } from "../domain/server-event.ts";
import { waitFor } from "./event-bus.ts";
import type { FlowServices } from "./services.ts";

export type Followed =
  /** The next lines, at least one. */
  | { readonly kind: "lines"; readonly lines: readonly OutputLine[] }
  | { readonly kind: "end"; readonly deployment: Deployment };

/** How many lines are read and in memory at once, however slow the consumer is. */
const BATCH = 500;

/** Characters of a yielded batch, beyond which it has no further line. */
const MAX_BATCH_LENGTH = 64 * 1024;

/**
 * Yields each stored line with a number greater than `after` (-1 for all) once, in order, as it arrives, in batches; then
 * `end` when the deployment has ended. Waits while it is queued. Returns early when `signal` is aborted, or when the
 * deployment is not stored.
 */
export async function* followOutput(
  id: number,
  after: number,
  {
    store,
    eventBus,
  }: Pick<FlowServices, "eventBus"> & {
    readonly store: Pick<FlowServices["store"], "readDeployment" | "readOutputAfter">;
  },
  signal: AbortSignal,
): AsyncGenerator<Followed> {
  // Subscribes before it reads: an event in between starts the next round.
  const events = waitFor(eventBus, (event) => concerns(event, id), signal);
  const read = (after: number) => store.readOutputAfter(id, after, BATCH);
  let last = after;
  try {
    while (!signal.aborted) {
      events.reset();
      // The state before the lines: all lines of an ended deployment are stored.
      const deployment = await store.readDeployment(id);
      if (deployment === null) return;
      for (let batch = await read(last); batch.length > 0; batch = await read(last)) {
        last = batch.at(-1)?.line ?? last;
        for (const lines of splitBatch(batch)) {
          if (signal.aborted) return;
          yield { kind: "lines", lines };
        }
      }
      if (signal.aborted) return;
      if (hasEnded(deployment.state)) return yield { kind: "end", deployment };
      await events.wait();
    }
  } finally {
    events.stop();
  }
}

/** Splits lines into batches of at most {@link MAX_BATCH_LENGTH} characters. A longer line is a batch of its own. */
function* splitBatch(lines: readonly OutputLine[]): Generator<readonly OutputLine[]> {
  let from = 0;
  let length = 0;
  for (const [at, { text }] of lines.entries()) {
    if (at > from && length + text.length > MAX_BATCH_LENGTH) {
      yield lines.slice(from, at);
      [from, length] = [at, 0];
    }
    length += text.length;
  }
  yield lines.slice(from);
}

/** Whether the event may mean new lines or the end. */
function concerns(event: ServerEvent, id: number): boolean {
  if (event.kind === "output") return event.deployment === id;
  return event.kind === "deployment" && event.deployment.id === id;
}
