import type { ClientStore } from "./client.ts";
import type { DeliveryStore } from "./delivery.ts";
import type { DeploymentStore } from "./deployment-store.ts";
import type { LockStore } from "./lock.ts";
import type { NotificationStore } from "./notification.ts";
import type { PublishedRangesStore } from "./published-ranges.ts";

/** Figures of the whole store. */
export interface StoreStatistics {
  /** The size of its files on disk. */
  readonly bytes: number;
  readonly queued: number;
  readonly running: number;
}

/**
 * Everything that is stored. Each function is one act: atomic, and on disk when it resolves. No transaction ever
 * leaves the store.
 */
export interface Store
  extends ClientStore,
    DeliveryStore,
    DeploymentStore,
    LockStore,
    NotificationStore,
    PublishedRangesStore {
  readStatistics(): Promise<StoreStatistics>;
  /** Writes something small. Rejects with an {@link AppError} `unavailable` when a delivery could not be stored either. */
  probe(now: Date): Promise<void>;
  close(): Promise<void>;
}
