import type { Connection } from "../connection.ts";

/**
 * Finds deliveries by a key: a digest of a body or of a sender's id, cut to a number. Digests are spread evenly, so a
 * large index that takes each at once would write a page for nearly every one. Here the newest keys are in memory, and
 * on disk in one short row for each commit. When there are many, they are sorted and merged into the index bit by bit,
 * neighbours together, within the transactions of later deliveries.
 */
export interface SeenIndex {
  /** Deliveries with the key, oldest first. Some may be removed, or have it by chance. */
  find(key: number): Iterable<number>;
  /** Adds a delivery's keys. `write` has to follow in the same transaction. */
  note(delivery: number, keys: readonly number[]): void;
  /** Writes the added keys, and merges some older ones. */
  write(): void;
  /** Has to be called after a transaction with `write` in it was committed. */
  confirm(): void;
  /** Has to be called after it was rolled back. */
  discard(): void;
  /** Removes the keys of a delivery that is removed in the same transaction. */
  forget(delivery: number, keys: readonly number[]): void;
}

/** How many new keys start the next merge: a few megabytes of memory. */
const GENERATION = 131_072;

/** How many keys are merged for each added one: a little more than one, so that a merge ends before the next starts. */
const MERGED_FOR_EACH = 1.25;

/** A generation of keys on its way into the index. */
interface Merge {
  readonly keys: KeyMap;
  /** The keys in the index's order. */
  readonly order: Float64Array;
  /** How many of them are in the index. */
  done: number;
  /** How many are when the present transaction commits. */
  doing: number;
  /** The newest row of `seen_lately` that holds any of them. */
  readonly lastRow: number;
}

/** Creates the index, and reads the keys that are not merged yet. */
export function createSeenIndex(connection: Connection, generation: number = GENERATION): SeenIndex {
  // It searches in the order of the primary key. With an ORDER BY it takes ten times as long.
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
  let newestRemoved = readNewestRemoved(connection);
  let added: number[] = [];
  let addedKeys = new KeyMap();
  let merge: Merge | null = null;

  function mergeSome(under: Merge, count: number): void {
    under.doing = Math.min(under.done + count, under.order.length);
    for (const key of under.order.subarray(under.done, under.doing)) {
      for (const delivery of under.keys.get(key)) insert.run({ key, delivery, newestRemoved });
    }
    if (under.doing === under.order.length) removeRecent.run({ lastRow: under.lastRow });
  }

  function discard(): void {
    if (added.length === 0) return;
    added = [];
    addedKeys = new KeyMap();
  }

  return {
    *find(key) {
      // One at a time: most keys have none, and callers need the first few at most.
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
      if (merge !== null) merge.done = merge.doing;
      if (merge !== null && merge.done === merge.order.length) merge = null;
      if (merge !== null || recent.size < generation) return;
      merge = { keys: recent, order: recent.sorted(), done: 0, doing: 0, lastRow };
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

/** The keys that an earlier run had not merged. Their deliveries may have been removed. */
function readRecent(connection: Connection): { recent: KeyMap; lastRow: number } {
  const row = connection
    .prepare<{ keys: string | null; lastRow: number | null }>(
      "SELECT group_concat(keys) AS keys, max(id) AS lastRow FROM seen_lately",
    )
    .get({});
  const recent = new KeyMap();
  addPairs(recent, JSON.parse(`[${row?.keys ?? ""}]`) as readonly number[]);
  return { recent, lastRow: row?.lastRow ?? 0 };
}

function readNewestRemoved(connection: Connection): number {
  return connection.prepare<{ newest: number }>("SELECT newest FROM seen_removed").get({})?.newest ?? 0;
}

function addPairs(map: KeyMap, pairs: readonly number[]): void {
  for (let at = 0; at + 1 < pairs.length; at += 2) map.add(pairs[at] ?? 0, pairs[at + 1] ?? 0);
}

/** Deliveries by key, in memory. Nearly every key has one delivery, which is stored without an array. */
export class KeyMap {
  readonly #deliveries = new Map<number, number | number[]>();

  /** How many different keys there are. */
  get size(): number {
    return this.#deliveries.size;
  }

  /** The deliveries with a key, in the order in which they were added. */
  get(key: number): readonly number[] {
    const found = this.#deliveries.get(key);
    if (found === undefined) return NONE;
    return typeof found === "number" ? [found] : found;
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

const NONE: readonly number[] = [];
