import type { Store } from "../../src/domain/store.ts";

/** A store on disk that a test may close and open again. */
export interface OpenedStore {
  readonly store: Store;
  /** Closes the store and opens it again, as a restart would. */
  reopen(): Promise<Store>;
  /** Closes the store and deletes its files. */
  close(): Promise<void>;
}
