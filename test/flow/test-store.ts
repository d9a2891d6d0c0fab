import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeploymentResult } from "../../src/domain/deployment.ts";
import type { NotificationSubscription } from "../../src/domain/notification.ts";
import type { Store } from "../../src/domain/store.ts";
import { stores } from "../../src/store/index.ts";
import { blockedPush, options, pushFor, success } from "../store/sample.ts";

/** A real store in a temporary directory. */
export interface TestStore {
  readonly store: Store;
  close(): Promise<void>;
}

export async function openTestStore(): Promise<TestStore> {
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
  await store.accept({ ...pushFor(...targets), receivedAt: new Date() }, options());
}

/** Stores a delivery for these targets, all of which are locked. */
export async function pushToLocked(store: Store, ...targets: string[]): Promise<void> {
  await store.accept({ ...blockedPush(...targets), receivedAt: new Date() }, options());
}

export const SUCCEEDED: DeploymentResult = success("c1", { release: "r1" });

/** Requests, runs and finishes a deployment of the target. Returns its id. */
export async function deployed(
  store: Store,
  target: string,
  result: Partial<DeploymentResult> = {},
  subscriptions: readonly NotificationSubscription[] = [],
  now = new Date(),
): Promise<number> {
  const {
    deployment: { id },
  } = await store.queueDeployment({ target, trigger: "manual", commit: null, choice: null }, now);
  await store.claim([target], now);
  await store.finish(id, { ...SUCCEEDED, ...result }, now, subscriptions);
  return id;
}
