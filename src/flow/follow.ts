import { type Deployment, type DeploymentStore, hasEnded, type OutputLine } from "../domain/deployment.ts";
import type { ServerEvent } from "../domain/server-event.ts";
import { type EventBus, waitFor } from "./event-bus.ts";

/** What a follower of a deployment's output gets. */
export type Followed =
  | { readonly kind: "line"; readonly line: number; readonly text: string }
  | { readonly kind: "end"; readonly deployment: Deployment };

/** What following works with. */
export interface FollowTools {
  readonly store: Pick<DeploymentStore, "readDeployment" | "readOutputAfter">;
  readonly broadcast: Pick<EventBus, "subscribe">;
}

/** How many lines are in memory at once, however slow the follower is. */
const BATCH = 500;

/**
 * Each kept line with a number greater than `after` (-1 for all) once, in order, as it comes; then `end` when the
 * deployment has ended. A queued one is waited for. Ends silently when `signal` is aborted, or when there is no such
 * deployment (any more).
 */
export async function* followOutput(
  id: number,
  after: number,
  { store, broadcast }: FollowTools,
  signal: AbortSignal,
): AsyncGenerator<Followed> {
  // Listens before it reads: what comes in between is heard, and read in the next round.
  const news = waitFor(broadcast, (happening) => concerns(happening, id), signal);
  let last = after;
  try {
    while (!signal.aborted) {
      news.reset();
      // The state before the lines: those of a deployment that has ended are all there.
      const deployment = await store.readDeployment(id);
      if (deployment === null) return;
      for await (const line of readLines(id, last, store)) {
        if (signal.aborted) return;
        last = line.line;
        yield { kind: "line", ...line };
      }
      if (signal.aborted) return;
      if (hasEnded(deployment.state)) return yield { kind: "end", deployment };
      await news.wait();
    }
  } finally {
    news.stop();
  }
}

/** Every line that is kept now. */
async function* readLines(
  id: number,
  after: number,
  store: FollowTools["store"],
): AsyncGenerator<OutputLine> {
  let batch = await store.readOutputAfter(id, after, BATCH);
  for (let last = batch.at(-1); last !== undefined; last = batch.at(-1)) {
    yield* batch;
    batch = await store.readOutputAfter(id, last.line, BATCH);
  }
}

/** Whether there may be something new. */
function concerns(happening: ServerEvent, id: number): boolean {
  if (happening.kind === "output") return happening.deployment === id;
  return happening.kind === "deployment" && happening.deployment.id === id;
}
