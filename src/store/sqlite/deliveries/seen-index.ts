import type { Connection } from "../connection.ts";

/**
 * Finds deliveries by a key: a digest of a body or of a sender's id, cut to a number. Digests are spread evenly, so
 * inserting each into a large index at once would write a page for nearly every one. Instead the newest keys are in
 * memory, and on disk in one short row for each commit. When there are many, they are sorted and merged into the index
 * in steps, neighbours together, within the transactions of later deliveries.
 */
export interface SeenIndex {
  /** Deliveries with the key, oldest first. Some may have been removed, or have the key by chance. */
  find(key: number): Iterable<number>;
  /** Adds a delivery's keys. Call `write` in the same transaction. */
  note(delivery: number, keys: readonly number[]): void;
  /** Writes the added keys, and merges some older ones. */
  write(): void;
  /** Call it after a transaction with `write` was committed. */
  confirm(): void;
  /** Call it after a transaction with `write` was rolled back. */
  discard(): void;
  /** Removes the keys of a delivery that is removed in the same transaction. */
  forget(delivery: number, keys: readonly number[]): void;
}

/** How many new keys start the next merge: a few megabytes of memory. */
const GENERATION = 131_072;

/** How many keys are merged for each added one. More than one, so that a merge ends before the next starts. */
const MERGED_FOR_EACH = 1.25;

/** A generation of keys that is being merged into the index. */
interface Merge {
  readonly keys: KeyMap;
  /** The keys in the index's order. */
  readonly order: Float64Array;
  /** How many of them are in the index. */
  done: number;
  /** How many are in the index when the current transaction is committed. */
  pending: number;
  /** The newest row of `seen_lately` with any of the keys. */
  readonly lastRow: number;
}

/** Creates the index. Reads the keys that an earlier run did not merge; their deliveries may have been removed. */
export function createSeenIndex(connection: Connection, generation: number = GENERATION): SeenIndex {
  // The primary key gives the order. An ORDER BY would take ten times as long.
  const selectNext = connection.prepare<{ delivery: number }, { key: number; after: number }>(
    "SELECT delivery FROM seen WHERE key = $key AND delivery > $after LIMIT 1",
  );
  const remove = connection.prepare<never, { key: number; delivery: number }>(
    "DELETE FROM seen WHERE key = $key AND delivery = $delivery",
  );
  const insertRecent = connection.prepare<never, { keys: string }>(
    "INSERT INTO seen_lately (keys) VALUES ($keys)",
  );
  const removeRecent = connection.prepare<never, { lastRow: number }>(
    "DELETE FROM seen_lately WHERE id <= $lastRow",
  );
  // A delivery may have been removed before its keys are merged. Only older ones need the check.
  const insert = connection.prepare<never, { key: number; delivery: number; newestRemoved: number }>(`
    INSERT OR IGNORE INTO seen (key, delivery)
    SELECT $key, $delivery
    WHERE $delivery > $newestRemoved OR EXISTS (SELECT 1 FROM delivery WHERE id = $delivery)`);
  const recordRemoved = connection.prepare<never, { delivery: number }>(
    "UPDATE seen_removed SET newest = max(newest, $delivery)",
  );

  let { recent, lastRow } = readRecent(connection);
  let newestRemoved =
    connection.prepare<{ newest: number }>("SELECT newest FROM seen_removed").get({})?.newest ?? 0;
  let added: number[] = [];
  let addedKeys = new KeyMap();
  let merge: Merge | null = null;

  function mergeSome(current: Merge, count: number): void {
    current.pending = Math.min(current.done + count, current.order.length);
    for (const key of current.order.subarray(current.done, current.pending)) {
      for (const delivery of current.keys.get(key)) insert.run({ key, delivery, newestRemoved });
    }
    if (current.pending === current.order.length) removeRecent.run({ lastRow: current.lastRow });
  }

  function discard(): void {
    if (added.length === 0) return;
    added = [];
    addedKeys = new KeyMap();
  }

  return {
    *find(key) {
      // One at a time: most keys have none, and callers need few.
      let next = selectNext.get({ key, after: 0 });
      while (next !== null) {
        yield next.delivery;
        next = selectNext.get({ key, after: next.delivery });
      }
      if (merge !== null) yield* merge.keys.get(key);
      yield* recent.get(key);
      yield* addedKeys.get(key);
    },
    note(delivery, keys) {
      for (const key of keys) {
        added.push(key, delivery);
        addedKeys.add(key, delivery);
      }
    },
    write() {
      if (added.length === 0) return;
      lastRow = Number(insertRecent.run({ keys: added.join() }).lastInsertRowid);
      if (merge !== null) mergeSome(merge, Math.ceil((added.length / 2) * MERGED_FOR_EACH));
    },
    confirm() {
      if (added.length === 0) return;
      addPairs(recent, added);
      discard();
      if (merge !== null) merge.done = merge.pending;
      if (merge !== null && merge.done === merge.order.length) merge = null;
      if (merge !== null || recent.size < generation) return;
      merge = { keys: recent, order: recent.sorted(), done: 0, pending: 0, lastRow };
      recent = new KeyMap();
    },
    discard,
    forget(delivery, keys) {
      for (const key of keys) remove.run({ key, delivery });
      recordRemoved.run({ delivery });
      newestRemoved = Math.max(newestRemoved, delivery);
    },
  };
}

function readRecent(connection: Connection): { recent: KeyMap; lastRow: number } {
  const select = connection.prepare<{ keys: string | null; lastRow: number | null }>(
    "SELECT group_concat(keys) AS keys, max(id) AS lastRow FROM seen_lately",
  );
  const { keys, lastRow } = select.get({}) ?? { keys: null, lastRow: null };
  const recent = new KeyMap();
  addPairs(recent, JSON.parse(`[${keys ?? ""}]`) as readonly number[]);
  return { recent, lastRow: lastRow ?? 0 };
}

function addPairs(map: KeyMap, pairs: readonly number[]): void {
  for (let at = 0; at + 1 < pairs.length; at += 2) map.add(pairs[at] ?? 0, pairs[at + 1] ?? 0);
}

/** Deliveries by key, in memory. Nearly every key has one delivery, which is stored without an array. */
export class KeyMap {
  readonly #deliveries = new Map<number, number | number[]>();

  /** The number of distinct keys. */
  get size(): number {
    return this.#deliveries.size;
  }

  /** The deliveries with a key, in the order in which they were added. */
  get(key: number): readonly number[] {
    const found = this.#deliveries.get(key);
    return typeof found === "number" ? [found] : (found ?? []);
  }

  add(key: number, delivery: number): void {
    const before = this.#deliveries.get(key);
    if (before === undefined) this.#deliveries.set(key, delivery);
    else if (typeof before === "number") this.#deliveries.set(key, [before, delivery]);
    else before.push(delivery);
  }

  /** The keys in ascending order. */
  sorted(): Float64Array {
    return Float64Array.from(this.#deliveries.keys()).sort();
  }
}
