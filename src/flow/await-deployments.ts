import { type Deployment, hasEnded } from "../domain/deployment.ts";
import type { Store } from "../domain/store.ts";
import { waitFor } from "./event-bus.ts";
import type { FlowServices } from "./services.ts";

type AwaitServices = Pick<FlowServices, "clock" | "eventBus"> & {
  readonly store: Pick<Store, "readDeployment">;
};

/**
 * Waits until all deployments have ended, `milliseconds` have passed, or `signal` is aborted. Resolves with their current
 * states; those that are no longer stored are left out.
 */
export async function awaitDeployments(
  ids: readonly number[],
  milliseconds: number,
  { store, eventBus, clock }: AwaitServices,
  signal: AbortSignal,
): Promise<readonly Deployment[]> {
  const over = new AbortController();
  const ended = AbortSignal.any([signal, over.signal]);
  // Subscribes before it reads: an event in between starts the next round.
  const events = waitFor(
    eventBus,
    (event) => event.kind === "deployment" && ids.includes(event.deployment.id),
    ended,
  );
  const read = async () => {
    const found = await Promise.all(ids.map((id) => store.readDeployment(id)));
    return found.filter((deployment) => deployment !== null);
  };
  void clock.sleep(milliseconds, ended).then(() => over.abort());
  try {
    for (;;) {
      events.reset();
      const deployments = await read();
      if (ended.aborted || deployments.every(({ state }) => hasEnded(state))) return deployments;
      await events.wait();
    }
  } finally {
    events.stop();
    over.abort();
  }
}
