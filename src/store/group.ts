import { hostname } from "node:os";
import type { AcceptOptions, AcceptResult, NewDelivery } from "../domain/delivery.ts";
import type { Store } from "../domain/store.ts";
import { AppError } from "../lib/errors.ts";

/** A call of {@link Store.accept}. */
export interface AcceptRequest {
  readonly delivery: NewDelivery;
  readonly options: AcceptOptions;
}

/** The methods of a store except `accept`, by name. */
export type StoreActs = Omit<Store, "accept" | "host" | "fleet">;

export type ActName = keyof StoreActs;

/** A store that accepts deliveries in groups. It runs the calls in the order in which they are made. */
export interface StoreEngine {
  /**
   * Accepts deliveries in order, in one commit. When it rejects, none of them is stored. Resolves when the commit is on
   * disk.
   */
  acceptGroup(group: readonly AcceptRequest[]): Promise<readonly AcceptResult[]>;
  act<Name extends ActName>(name: Name, args: Parameters<StoreActs[Name]>): ReturnType<StoreActs[Name]>;
}

/** How many deliveries may wait for their commit: usual ones take a quarter of a second to write. */
const MAX_WAITING = 4096;

/** How many bytes the bodies of waiting deliveries may have together: five of the largest possible. */
const MAX_WAITING_BYTES = 128 * 1024 * 1024;

/** Typed so that the compiler reports a method that is missing here. */
const ACTS: Readonly<Record<ActName, true>> = {
  authorise: true,
  findClient: true,
  forgetClient: true,
  listClients: true,
  revokeClient: true,
  readDelivery: true,
  readOutcomes: true,
  listCiResults: true,
  listDeliveries: true,
  queueDeployment: true,
  claim: true,
  finish: true,
  cancelQueued: true,
  recoverInterrupted: true,
  cancelUnconfigured: true,
  readDeployment: true,
  listDeployments: true,
  readLive: true,
  readTargetStatus: true,
  appendOutput: true,
  readOutput: true,
  readOutputAfter: true,
  prune: true,
  lock: true,
  unlock: true,
  listLocks: true,
  notifyStarted: true,
  dueNotifications: true,
  nextNotificationAt: true,
  removeNotification: true,
  postponeNotification: true,
  storeRanges: true,
  readRanges: true,
  readStatistics: true,
  probe: true,
  close: true,
};

interface Waiting extends AcceptRequest {
  readonly resolve: (result: AcceptResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Creates a store that collects accepts and passes them on in groups, because a commit waits for the disk. The next group
 * is collected while one is under way. Every other act first passes on what waits, so that it follows the accepts that
 * were called before it. By default this machine is the store's only host.
 */
export function createStore(
  engine: StoreEngine,
  { host, fleet }: Pick<Store, "host" | "fleet"> = { host: hostname(), fleet: null },
): Store {
  let waiting: Waiting[] = [];
  let waitingBytes = 0;
  /** How many deliveries, and bytes of them, are in groups under way. */
  let passed = 0;
  let passedBytes = 0;
  let isScheduled = false;

  /** Passes the group on after the other requests of this turn of the event loop, when no other is under way. */
  function schedule(): void {
    if (isScheduled || passed > 0 || waiting.length === 0) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      if (passed === 0) flush();
    });
  }

  function flush(): void {
    if (waiting.length === 0) return;
    void acceptGroup(waiting, waitingBytes);
    waiting = [];
    waitingBytes = 0;
  }

  async function acceptGroup(group: readonly Waiting[], bytes: number): Promise<void> {
    passed += group.length;
    passedBytes += bytes;
    try {
      const results = await engine.acceptGroup(group);
      for (const [at, result] of results.entries()) group[at]?.resolve(result);
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
    passed -= group.length;
    passedBytes -= bytes;
    schedule();
  }

  function createAct(name: ActName) {
    return (...args: Parameters<StoreActs[ActName]>) => {
      flush();
      return engine.act(name, args);
    };
  }
  const names = Object.keys(ACTS) as readonly ActName[];
  const acts = Object.fromEntries(names.map((name) => [name, createAct(name)])) as unknown as StoreActs;
  return {
    ...acts,
    host,
    fleet,
    accept(delivery, options) {
      const bytes = delivery.body.length;
      if (waiting.length + passed >= MAX_WAITING || waitingBytes + passedBytes + bytes > MAX_WAITING_BYTES) {
        return Promise.reject(new AppError("unavailable", "too many deliveries are waiting to be stored"));
      }
      return new Promise((resolve, reject) => {
        waiting.push({ delivery, options, resolve, reject });
        waitingBytes += bytes;
        schedule();
      });
    },
  };
}
