import type { ClientStore } from "./client.ts";
import type { DeliveryStore } from "./delivery.ts";
import type { DeploymentStore } from "./deployment-store.ts";
import type { LockStore } from "./lock.ts";
import type { NotificationStore } from "./notification.ts";
import type { PublishedRangesStore } from "./published-ranges.ts";

/** Figures for metrics and the status. */
export interface StoreStatistics {
  /** The size of the store's files on disk. */
  readonly bytes: number;
  readonly queued: number;
  readonly running: number;
}

/**
 * Everything that is stored. Each method is atomic, and its changes are on disk when it resolves. No text given to it has
 * NUL, which not every database can hold: `replaceNul` removes it where text from outside comes in.
 */
export interface Store
  extends ClientStore,
    DeliveryStore,
    DeploymentStore,
    LockStore,
    NotificationStore,
    PublishedRangesStore {
  readStatistics(): Promise<StoreStatistics>;
  /** Writes one small row. Rejects with an {@link AppError} `unavailable` when deliveries cannot be stored. */
  probe(now: Date): Promise<void>;
  close(): Promise<void>;
}
