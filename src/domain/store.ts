import type { ClientStore } from "./client.ts";
import type { DeliveryStore } from "./delivery.ts";
import type { DeploymentStore } from "./deployment-store.ts";
import type { Fleet } from "./host.ts";
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
 * NUL, which not every database can hold: `replaceNul` removes it where text from outside comes in. A store is opened for
 * one host, by one process; where several share a database, each opens its own.
 */
export interface Store
  extends ClientStore,
    DeliveryStore,
    DeploymentStore,
    LockStore,
    NotificationStore,
    PublishedRangesStore {
  /** The name of the host whose deployments this process runs. */
  readonly host: string;
  /** What several processes need; null for a store that only this process uses. */
  readonly fleet: Fleet | null;
  readStatistics(): Promise<StoreStatistics>;
  /** Writes one small row. Rejects with an {@link AppError} `unavailable` when deliveries cannot be stored. */
  probe(now: Date): Promise<void>;
  close(): Promise<void>;
}
