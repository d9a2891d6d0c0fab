import type { ClientStore } from "./client.ts";
import type { DeliveryStore } from "./delivery.ts";
import type { DeploymentStore } from "./deployment.ts";
import type { LockStore } from "./lock.ts";
import type { NotificationStore } from "./notification.ts";
import type { PublishedRangesStore } from "./published-ranges.ts";

/** Figures of the store as a whole. */
export interface StoreStatistics {
  /** What the files take on disk. */
  readonly bytes: number;
  readonly queued: number;
  readonly running: number;
}

/**
 * What is kept. Its functions are whole acts, each of them atomic and on disk when it resolves; no
 * transaction is ever handed out.
 */
export interface Store
  extends ClientStore,
    DeliveryStore,
    DeploymentStore,
    LockStore,
    NotificationStore,
    PublishedRangesStore {
  readStatistics(): Promise<StoreStatistics>;
  /** Writes something small. Rejects with a {@link Fault} `unavailable` when a delivery could not be kept now either. */
  probe(now: Date): Promise<void>;
  close(): Promise<void>;
}
