/** The memory of one request whose sender is not verified yet. */
export interface Reservation {
  /** Adds bytes. Returns false once the request is evicted. */
  add(bytes: number): boolean;
  /** Frees the bytes. A second call does nothing. */
  release(): void;
}

/** Limits the memory that the requests of unverified senders use together. */
export interface BodyBudget {
  /**
   * Reserves memory for one request. `evict` is called at most once, when the request must free its memory. A request
   * with null cannot be evicted; it is refused when the budget is used up.
   */
  reserve(evict: (() => void) | null): Reservation;
  /**
   * Whether more than half of the budget is used. Above half, do not trust Content-Length: a few thousand connections
   * that announce bytes and send none would leave no memory for others.
   */
  isScarce(): boolean;
}

interface Entry {
  bytes: number;
  isEvicted: boolean;
  readonly evict: (() => void) | null;
}

/** In bytes. Most webhooks are smaller, and trigger no garbage collection. */
const USUAL_SIZE = 64 * 1024;

/** The number of garbage collections while larger requests add as many bytes as the limit. */
const COLLECTIONS_PER_LIMIT = 8;

/**
 * Creates a budget of `limit` bytes. When it is used up, the largest request is evicted, so that large bodies compete
 * with each other and not with usual ones.
 */
export function createBodyBudget(limit: number, collectGarbage: () => void): BodyBudget {
  const evictable = new Set<Entry>();
  let total = 0;
  let uncollected = 0;

  /** Without a collection in time, the runtime accumulates the chunks of evicted requests. */
  function countGarbage(bytes: number): void {
    uncollected += bytes;
    if (uncollected < limit / COLLECTIONS_PER_LIMIT) return;
    uncollected = 0;
    collectGarbage();
  }

  function release(entry: Entry): void {
    evictable.delete(entry);
    total -= entry.bytes;
    entry.bytes = 0;
  }

  function evict(entry: Entry): void {
    release(entry);
    entry.isEvicted = true;
    entry.evict?.();
  }

  function findLargest(): Entry | null {
    let largest: Entry | null = null;
    for (const entry of evictable) if (entry.bytes > (largest?.bytes ?? -1)) largest = entry;
    return largest;
  }

  return {
    isScarce: () => total > limit / 2,
    reserve(onEvict) {
      const entry: Entry = { bytes: 0, isEvicted: false, evict: onEvict };
      if (onEvict !== null) evictable.add(entry);
      return {
        add(bytes) {
          if (entry.isEvicted) return false;
          entry.bytes += bytes;
          total += bytes;
          if (entry.bytes > USUAL_SIZE) countGarbage(bytes);
          while (total > limit) evict(findLargest() ?? entry);
          return !entry.isEvicted;
        },
        release: () => release(entry),
      };
    },
  };
}
