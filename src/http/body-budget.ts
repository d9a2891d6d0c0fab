/** Bytes of one request whose sender is not verified yet. */
export interface Reservation {
  /** Adds bytes. Gives false when this request had to be let go, now or before. */
  add(bytes: number): boolean;
  /** Called once, when the request is answered or given up. */
  release(): void;
}

/** All bytes that are held for requests whose senders are not verified yet. */
export interface BodyBudget {
  /**
   * Starts to count for one request. `letGo` is called at most once, when it must give its bytes up; null for one that
   * cannot, which is refused where there is no room for it.
   */
  hold(letGo: (() => void) | null): Reservation;
  /**
   * Whether more than half of the limit is held. Then nobody is to be counted any more by what he only says he will send,
   * or a few thousand connections that send nothing would leave no room for others.
   */
  isScarce(): boolean;
}

interface Holder {
  bytes: number;
  isLetGo: boolean;
  readonly letGo: (() => void) | null;
}

/** Bodies up to this size are a webhook's usual ones, and no reason to hurry; in bytes. */
const ORDINARY = 64 * 1024;

/** How often garbage is collected while as many bytes as the limit come in by larger ones. */
const COLLECTIONS_PER_LIMIT = 8;

/**
 * Bounds what strangers can make us hold: `limit` bytes in all. Over it the request that holds most is let go,
 * until the rest fits, so that senders of huge bodies are in each other's way and not in that of a normal one. Where
 * nothing is held that can be let go, a newcomer is refused. `collectGarbage` frees what was let go.
 */
export function createBodyBudget(limit: number, collectGarbage: () => void): BodyBudget {
  /** Those that can be let go. */
  const holders = new Set<Holder>();
  let total = 0;
  let passed = 0;

  /** The runtime lets a flood of chunks pile up long after they are of no use: it is told to look in time. */
  function notePassed(bytes: number): void {
    passed += bytes;
    if (passed < limit / COLLECTIONS_PER_LIMIT) return;
    passed = 0;
    collectGarbage();
  }

  /** Does nothing the second time. */
  function drop(holder: Holder): void {
    holders.delete(holder);
    total -= holder.bytes;
    holder.bytes = 0;
  }

  function findLargest(): Holder | null {
    let largest: Holder | null = null;
    for (const holder of holders) if (holder.bytes > (largest?.bytes ?? -1)) largest = holder;
    return largest;
  }

  function letGo(holder: Holder): void {
    drop(holder);
    holder.isLetGo = true;
    holder.letGo?.();
  }

  return {
    isScarce: () => total > limit / 2,
    hold(onLetGo) {
      const holder: Holder = { bytes: 0, isLetGo: false, letGo: onLetGo };
      if (onLetGo !== null) holders.add(holder);
      return {
        add(bytes) {
          if (holder.isLetGo) return false;
          holder.bytes += bytes;
          total += bytes;
          if (holder.bytes > ORDINARY) notePassed(bytes);
          while (total > limit) letGo(findLargest() ?? holder);
          return !holder.isLetGo;
        },
        release: () => drop(holder),
      };
    },
  };
}
