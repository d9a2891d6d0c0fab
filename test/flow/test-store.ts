import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeploymentResult } from "../../src/domain/deployment.ts";
import type { NotificationSubscription } from "../../src/domain/notification.ts";
import type { Store } from "../../src/domain/store.ts";
import { stores } from "../../src/store/index.ts";

/** A real store in a temporary directory. */
export interface KeptStore {
  readonly store: Store;
  close(): Promise<void>;
}

export async function openKeptStore(): Promise<KeptStore> {
  const directory = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
  const store = await stores.sqlite(directory);
  return {
    store,
    async close() {
      await store.close();
      rmSync(directory, { recursive: true });
    },
  };
}

/** Stores a delivery that deploys each of these targets. */
export async function push(store: Store, ...targets: string[]): Promise<void> {
  await accept(store, targets, []);
}

/** Stores a delivery for these targets, all of which are locked. */
export async function pushToLocked(store: Store, ...targets: string[]): Promise<void> {
  await accept(store, targets, targets);
}

async function accept(
  store: Store,
  targets: readonly string[],
  blockedByLock: readonly string[],
): Promise<void> {
  await store.accept(
    {
      source: "github",
      event: "push",
      status: "ok",
      reason: null,
      receivedAt: new Date(),
      client: "192.0.2.1",
      identity: null,
      headers: {},
      body: new Uint8Array(),
      decisions: targets.map((target) => ({ target, deploy: !blockedByLock.includes(target), reason: null })),
    },
    {
      pushedCommit: null,
      onRedelivery: "run",
      detectDuplicates: false,
      replayOf: null,
      blockedByLock,
      notDeployed: blockedByLock,
    },
  );
}

export const SUCCEEDED: DeploymentResult = {
  state: "succeeded",
  reason: null,
  branch: "main",
  commit: "c1",
  release: "r1",
  steps: [],
};

/** Requests, runs and finishes a deployment of the target. Returns its id. */
export async function deployed(
  store: Store,
  target: string,
  ending: Partial<DeploymentResult> = {},
  subscribers: readonly NotificationSubscription[] = [],
  now = new Date(),
): Promise<number> {
  const {
    deployment: { id },
  } = await store.queueDeployment({ target, trigger: "manual", commit: null, choice: null }, now);
  await store.claim([target], now);
  await store.finish(id, { ...SUCCEEDED, ...ending }, now, subscribers);
  return id;
}
