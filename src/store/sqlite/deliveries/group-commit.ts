import type { AcceptOptions, AcceptResult, NewDelivery } from "../../../domain/delivery.ts";
import { AppError } from "../../../lib/errors.ts";
import type { Connection } from "../connection.ts";
import { type Ledgers, prepareInsert } from "./insert.ts";

/** Keeps deliveries, those that wait together in one commit. */
export interface GroupCommit {
  accept(delivery: NewDelivery, options: AcceptOptions): Promise<AcceptResult>;
  /** Commits now what waits, so that the store can be closed, or something that has to come after it can be done. */
  flush(): void;
}

/** How many deliveries may wait for the next commit: as many of the usual ones as are written in a quarter of a second. */
const MOST_WAITING = 4096;

/** How many bytes their bodies may have together: five of the largest that there are. */
const MOST_WAITING_BYTES = 128 * 1024 * 1024;

interface Waiting {
  readonly delivery: NewDelivery;
  readonly options: AcceptOptions;
  readonly resolve: (acceptance: AcceptResult) => void;
  readonly reject: (fault: unknown) => void;
}

/**
 * Collects the accepts of one turn of the event loop and commits them together: one wait for the disk for all
 * of them. If the commit fails it fails for each, and nothing of any is kept.
 */
export function createGroupCommit(connection: Connection, ledgers: Ledgers): GroupCommit {
  const keepGroup = prepareKeepGroup(connection, ledgers);
  let waiting: Waiting[] = [];
  let waitingBytes = 0;

  function flush(): void {
    if (waiting.length === 0) return;
    const group = waiting;
    waiting = [];
    waitingBytes = 0;
    connection
      .attempt(() => keepGroup(group))
      .then(
        (acceptances) => {
          for (const [at, acceptance] of acceptances.entries()) group[at]?.resolve(acceptance);
        },
        (fault: unknown) => {
          for (const { reject } of group) reject(fault);
        },
      );
  }

  return {
    accept(delivery, options) {
      const bytes = waitingBytes + delivery.body.length;
      if (waiting.length === MOST_WAITING || bytes > MOST_WAITING_BYTES) {
        return Promise.reject(new AppError("unavailable", "too many deliveries wait to be kept"));
      }
      return new Promise((resolve, reject) => {
        // After the requests that came with this one, and before the loop waits for more.
        if (waiting.length === 0) setImmediate(flush);
        waiting.push({ delivery, options, resolve, reject });
        waitingBytes = bytes;
      });
    },
    flush,
  };
}

/** What keeps a group in one transaction, and lets the ledgers know how it ended. */
function prepareKeepGroup(connection: Connection, ledgers: Ledgers) {
  const { seen, decisionSets } = ledgers;
  const keep = prepareInsert(connection, ledgers);
  return (group: readonly Waiting[]): readonly AcceptResult[] => {
    try {
      const acceptances = connection.transact(() => {
        const kept = group.map(({ delivery, options }) => keep(delivery, options));
        seen.write();
        return kept;
      });
      seen.confirm();
      return acceptances;
    } catch (error) {
      seen.discard();
      decisionSets.discard();
      throw error;
    }
  };
}
