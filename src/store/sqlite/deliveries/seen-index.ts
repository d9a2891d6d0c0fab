import type { Connection } from "../connection.ts";

/**
 * Which deliveries came under a key: a digest of a body or of a sender's id, cut to a number. Digests fall anywhere,
 * so an index that takes each at once writes a page of its own for nearly every one as soon as it is large. Here
 * the newest keys are in memory, and on disk in one short row for each commit; when there are many they are put in
 * order and merged into the index bit by bit, neighbours together, within the transactions of later deliveries.
 */
export interface SeenIndex {
  /** Deliveries that came under the key, oldest first. Some may be gone, or have it by chance. */
  find(key: number): Iterable<number>;
  /** Takes down a delivery's keys; they are kept by `write`, which has to follow in the same transaction. */
  note(delivery: number, keys: readonly number[]): void;
  /** Writes what was noted, and merges some of what was noted long ago. */
  write(): void;
  /** Has to be called when a transaction with `write` in it was committed. */
  confirm(): void;
  /** Has to be called when it was rolled back. */
  discard(): void;
  /** Removes the keys of a delivery that is removed in the same transaction. */
  forget(delivery: number, keys: readonly number[]): void;
}

/** With so many keys the newest ones become the next to merge: a few megabytes of memory. */
const GENERATION = 131_072;

/** How many keys are merged for each that is noted: a little more than one, so that a merge ends before the next begins. */
const MERGED_FOR_EACH = 1.25;

/** A generation of keys on its way into the index. */
interface Merge {
  readonly keys: KeyMap;
  /** The keys in the index's order. */
  readonly order: Float64Array;
  /** How many of them are in the index. */
  done: number;
  /** How many are with the transaction under way. */
  doing: number;
  /** The newest row of `seen_lately` that holds any of them. */
  readonly lastRow: number;
}

/** Opens the index, and reads again what was not merged into it yet. */
export function createSeenIndex(connection: Connection, generation: number = GENERATION): SeenIndex {
  // In the order of the primary key, which it searches; told to sort by it, it takes ten times as long.
  const selectNext = connection.prepare<{ delivery: number }, { key: number; after: number }>(
    "SELECT delivery FROM seen WHERE key = $key AND delivery > $after LIMIT 1",
  );
  const remove = connection.prepare<never, { key: number; delivery: number }>(
    "DELETE FROM seen WHERE key = $key AND delivery = $delivery",
  );
  const insertLately = connection.prepare<never, { keys: string }>(
    "INSERT INTO seen_lately (keys) VALUES ($keys)",
  );
  const forgetLately = connection.prepare<never, { lastRow: number }>(
    "DELETE FROM seen_lately WHERE id <= $lastRow",
  );
  // A delivery may have been removed between its note and its merge; among the newest ones that is not asked.
  const insert = connection.prepare<never, { key: number; delivery: number; newestRemoved: number }>(`
    INSERT OR IGNORE INTO seen (key, delivery)
    SELECT $key, $delivery
    WHERE $delivery > $newestRemoved OR EXISTS (SELECT 1 FROM delivery WHERE id = $delivery)`);
  const noteRemoved = connection.prepare<never, { delivery: number }>(
    "UPDATE seen_removed SET newest = max(newest, $delivery)",
  );

  let { lately, lastRow } = readLately(connection);
  let newestRemoved = readNewestRemoved(connection);
  let noted: number[] = [];
  let notedKeys = new KeyMap();
  let merge: Merge | null = null;

  function mergeSome(under: Merge, count: number): void {
    under.doing = Math.min(under.done + count, under.order.length);
    for (const key of under.order.subarray(under.done, under.doing)) {
      for (const delivery of under.keys.get(key)) insert.run({ key, delivery, newestRemoved });
    }
    if (under.doing === under.order.length) forgetLately.run({ lastRow: under.lastRow });
  }

  function discard(): void {
    if (noted.length === 0) return;
    noted = [];
    notedKeys = new KeyMap();
  }

  return {
    *find(key) {
      // One at a time: seldom is there any, never is more than the first few asked for, and this is the fast way.
      let next = selectNext.get({ key, after: 0 });
      while (next !== null) {
        yield next.delivery;
        next = selectNext.get({ key, after: next.delivery });
      }
      if (merge !== null) yield* merge.keys.get(key);
      yield* lately.get(key);
      yield* notedKeys.get(key);
    },
    note(delivery, keys) {
      for (const key of keys) {
        noted.push(key, delivery);
        notedKeys.add(key, delivery);
      }
    },
    write() {
      if (noted.length === 0) return;
      lastRow = Number(insertLately.run({ keys: noted.join() }).lastInsertRowid);
      if (merge !== null) mergeSome(merge, Math.ceil((noted.length / 2) * MERGED_FOR_EACH));
    },
    confirm() {
      if (noted.length === 0) return;
      addPairs(lately, noted);
      discard();
      if (merge !== null) merge.done = merge.doing;
      if (merge !== null && merge.done === merge.order.length) merge = null;
      if (merge !== null || lately.size < generation) return;
      merge = { keys: lately, order: lately.sorted(), done: 0, doing: 0, lastRow };
      lately = new KeyMap();
    },
    discard,
    forget(delivery, keys) {
      for (const key of keys) remove.run({ key, delivery });
      noteRemoved.run({ delivery });
      newestRemoved = Math.max(newestRemoved, delivery);
    },
  };
}

/** What a program that ran before had not merged; any of it may have been removed meanwhile. */
function readLately(connection: Connection): { lately: KeyMap; lastRow: number } {
  const row = connection
    .prepare<{ keys: string | null; lastRow: number | null }>(
      "SELECT group_concat(keys) AS keys, max(id) AS lastRow FROM seen_lately",
    )
    .get({});
  const lately = new KeyMap();
  addPairs(lately, JSON.parse(`[${row?.keys ?? ""}]`) as readonly number[]);
  return { lately, lastRow: row?.lastRow ?? 0 };
}

function readNewestRemoved(connection: Connection): number {
  return connection.prepare<{ newest: number }>("SELECT newest FROM seen_removed").get({})?.newest ?? 0;
}

function addPairs(map: KeyMap, pairs: readonly number[]): void {
  for (let at = 0; at + 1 < pairs.length; at += 2) map.add(pairs[at] ?? 0, pairs[at + 1] ?? 0);
}

/** Deliveries by key, in memory. Nearly every key has one delivery, which then stands for itself. */
export class KeyMap {
  readonly #deliveries = new Map<number, number | number[]>();

  /** How many different keys there are. */
  get size(): number {
    return this.#deliveries.size;
  }

  /** The deliveries under a key in the order they were added. */
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
