/** The bytes in memory of one request whose sender is not verified yet. */
export interface Reservation {
  /** Adds bytes. False when the request was evicted, now or before. */
  add(bytes: number): boolean;
  /** Releases the bytes. Call it once the request is answered or given up. */
  release(): void;
}

/** Limits the memory that requests of unverified senders take together. */
export interface BodyBudget {
  /**
   * Starts to count the bytes of one request. `evict` is called at most once, when the request has to give its bytes
   * up; null for a request that cannot, which is refused where there is no room for it.
   */
  reserve(evict: (() => void) | null): Reservation;
  /**
   * Whether more than half of the budget is used. Above half, stop trusting Content-Length: a few thousand connections
   * that announce bytes and send none would leave no room for others.
   */
  isScarce(): boolean;
}

interface Holder {
  bytes: number;
  isEvicted: boolean;
  readonly evict: (() => void) | null;
}

/** Bodies up to this size, in bytes, are usual webhooks. They trigger no garbage collection. */
const USUAL = 64 * 1024;

/** How often garbage is collected while larger bodies bring in as many bytes as the limit. */
const COLLECTIONS_PER_LIMIT = 8;

/**
 * Creates a budget of `limit` bytes. Beyond it the request that holds most is evicted until the rest fits, so that
 * senders of huge bodies get into each other's way and not into that of a usual one. Where nothing can be evicted, a new
 * request is refused. `collectGarbage` frees what was evicted.
 */
export function createBodyBudget(limit: number, collectGarbage: () => void): BodyBudget {
  /** Those that can be evicted. */
  const holders = new Set<Holder>();
  let total = 0;
  let passed = 0;

  /** The runtime lets a flood of chunks pile up long after they are of no use, unless garbage is collected in time. */
  function countPassed(bytes: number): void {
    passed += bytes;
    if (passed < limit / COLLECTIONS_PER_LIMIT) return;
    passed = 0;
    collectGarbage();
  }

  /** Does nothing the second time. */
  function release(holder: Holder): void {
    holders.delete(holder);
    total -= holder.bytes;
    holder.bytes = 0;
  }

  function findLargest(): Holder | null {
    let largest: Holder | null = null;
    for (const holder of holders) if (holder.bytes > (largest?.bytes ?? -1)) largest = holder;
    return largest;
  }

  function evict(holder: Holder): void {
    release(holder);
    holder.isEvicted = true;
    holder.evict?.();
  }

  return {
    isScarce: () => total > limit / 2,
    reserve(onEvict) {
      const holder: Holder = { bytes: 0, isEvicted: false, evict: onEvict };
      if (onEvict !== null) holders.add(holder);
      return {
        add(bytes) {
          if (holder.isEvicted) return false;
          holder.bytes += bytes;
          total += bytes;
          if (holder.bytes > USUAL) countPassed(bytes);
          while (total > limit) evict(findLargest() ?? holder);
          return !holder.isEvicted;
        },
        release: () => release(holder),
      };
    },
  };
}
