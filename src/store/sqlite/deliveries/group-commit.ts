import type { AcceptOptions, AcceptResult, NewDelivery } from "../../../domain/delivery.ts";
import { AppError } from "../../../lib/errors.ts";
import type { Connection } from "../connection.ts";
import { type InsertParts, prepareInsert } from "./insert.ts";

/** Stores deliveries. Those that wait at the same time share one commit. */
export interface GroupCommit {
  accept(delivery: NewDelivery, options: AcceptOptions): Promise<AcceptResult>;
  /** Commits what is waiting now, before the store closes or makes a change that has to follow it. */
  flush(): void;
}

/** How many deliveries may wait for the next commit: usual ones take a quarter of a second to write. */
const MAX_WAITING = 4096;

/** How many bytes the bodies of waiting deliveries may have together: five of the largest possible. */
const MAX_WAITING_BYTES = 128 * 1024 * 1024;

interface Waiting {
  readonly delivery: NewDelivery;
  readonly options: AcceptOptions;
  readonly resolve: (result: AcceptResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Collects the accepts of one turn of the event loop and commits them together, which waits for the disk once. A commit
 * that fails stores nothing, and fails for each of them.
 */
export function createGroupCommit(connection: Connection, parts: InsertParts): GroupCommit {
  const commit = prepareCommit(connection, parts);
  let waiting: Waiting[] = [];
  let waitingBytes = 0;

  function flush(): void {
    if (waiting.length === 0) return;
    const group = waiting;
    waiting = [];
    waitingBytes = 0;
    connection
      .attempt(() => commit(group))
      .then(
        (results) => {
          for (const [at, result] of results.entries()) group[at]?.resolve(result);
        },
        (error: unknown) => {
          for (const { reject } of group) reject(error);
        },
      );
  }

  return {
    accept(delivery, options) {
      const bytes = waitingBytes + delivery.body.length;
      if (waiting.length === MAX_WAITING || bytes > MAX_WAITING_BYTES) {
        return Promise.reject(new AppError("unavailable", "too many deliveries are waiting to be stored"));
      }
      return new Promise((resolve, reject) => {
        // Runs after the other requests of this turn.
        if (waiting.length === 0) setImmediate(flush);
        waiting.push({ delivery, options, resolve, reject });
        waitingBytes = bytes;
      });
    },
    flush,
  };
}

/** Prepares the commit of a group in one transaction. */
function prepareCommit(connection: Connection, parts: InsertParts) {
  const { seen } = parts;
  const insert = prepareInsert(connection, parts);
  return (group: readonly Waiting[]): readonly AcceptResult[] => {
    try {
      const results = connection.transact(() => {
        const stored = group.map(({ delivery, options }) => insert(delivery, options));
        seen.write();
        return stored;
      });
      seen.confirm();
      return results;
    } catch (error) {
      seen.discard();
      throw error;
    }
  };
}
