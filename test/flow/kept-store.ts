import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Ending } from "../../src/domain/deployment.ts";
import type { Subscriber } from "../../src/domain/notice.ts";
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

async function accept(store: Store, targets: readonly string[], heldBack: readonly string[]): Promise<void> {
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
      decisions: targets.map((target) => ({ target, deploy: !heldBack.includes(target), reason: null })),
    },
    {
      pushedCommit: null,
      onRedelivery: "run",
      compare: false,
      replayOf: null,
      heldBack,
      undeployed: heldBack,
    },
  );
}

export const SUCCEEDED: Ending = {
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
  ending: Partial<Ending> = {},
  subscribers: readonly Subscriber[] = [],
  now = new Date(),
): Promise<number> {
  const {
    deployment: { id },
  } = await store.request({ target, trigger: "manual", commit: null, choice: null }, now);
  await store.claim([target], now);
  await store.settle(id, { ...SUCCEEDED, ...ending }, now, subscribers);
  return id;
}
