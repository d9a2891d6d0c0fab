import type { Decision } from "../../../domain/match.ts";
import type { Connection } from "../connection.ts";
import { digest, type Packed, pack, unpack } from "./body.ts";

/** What the targets decided about a delivery, and that in words. */
export interface DecisionSet {
  readonly decisions: readonly Decision[];
  readonly reason: string | null;
}

/** What the targets decided, kept once however many deliveries share it; it works in its caller's transactions. */
export interface DecisionSets {
  /** The id of the set with these decisions, for a delivery whose id will be at most `delivery`. */
  intern(set: DecisionSet, delivery: number): number;
  read(id: number): DecisionSet;
  /** Has to be called when a transaction with `intern` in it was rolled back. */
  discard(): void;
  /**
   * Removes up to `limit` sets that no delivery refers to. Call it only once every removable delivery with an id below
   * `horizon` has been removed.
   */
  prune(horizon: number, limit: number): number;
}

/** A set and the highest delivery that it may serve. */
type Lease = { id: number; leasedUntil: number };

/** A lease, and the words that it is for: the same decisions may come with others. */
type Known = Lease & Pick<DecisionSet, "reason">;

/**
 * For how many deliveries to come a set is leased at once. Within a lease a delivery refers to it without writing
 * so down; that many may pass until a set that nobody refers to any more is removed.
 */
const LEASE = 16_384;

/** How many decisions are kept decoded, so that a list which is looked at again does not read them again: some 20 MB. */
const MOST_DECODED = 100_000;

/**
 * Opens the sets of decisions. The same array, which a caller that has many equal events hands in again and again,
 * is found by itself; another with the same content by its digest.
 */
export function createDecisionSets(connection: Connection): DecisionSets {
  const extend = connection.prepare<Lease, Lease>(`
    UPDATE decision_set SET leased_until = $leasedUntil WHERE id = $id
    RETURNING id, leased_until AS leasedUntil`);
  const upsert = connection.prepare<
    Lease,
    { digest: Uint8Array; leasedUntil: number; encoding: string; bytes: Uint8Array }
  >(`
    INSERT INTO decision_set (digest, leased_until, encoding, decisions)
    VALUES ($digest, $leasedUntil, $encoding, $bytes)
    ON CONFLICT (digest) DO UPDATE SET leased_until = max(leased_until, excluded.leased_until)
    RETURNING id, leased_until AS leasedUntil`);
  const decoded = prepareDecode(connection);
  // Deliveries below the horizon that are still there are the few that a deployment needs.
  const remove = connection.prepare<never, { horizon: number; limit: number }>(`
    DELETE FROM decision_set WHERE id IN (
      SELECT id FROM decision_set
      WHERE leased_until < $horizon AND id NOT IN (SELECT decision_set FROM delivery WHERE id < $horizon)
      LIMIT $limit)`);
  let leases = new WeakMap<readonly Decision[], Known>();

  function write({ decisions, reason }: DecisionSet, leasedUntil: number): Lease {
    const json = JSON.stringify({ decisions, reason } satisfies DecisionSet);
    const lease = upsert.get({ digest: digest(json), leasedUntil, ...pack(Buffer.from(json)) });
    if (lease === null) throw new Error("SQLite returned nothing for a row that it wrote");
    return lease;
  }

  function forgetLeases(): void {
    leases = new WeakMap();
  }

  return {
    intern(set, delivery) {
      const last = leases.get(set.decisions);
      const known = last?.reason === set.reason ? last : undefined;
      if (known !== undefined && known.leasedUntil >= delivery) return known.id;
      const leasedUntil = delivery + LEASE;
      // A set whose lease ran out may be gone.
      const extended = known === undefined ? null : extend.get({ id: known.id, leasedUntil });
      const lease = extended ?? write(set, leasedUntil);
      leases.set(set.decisions, { ...lease, reason: set.reason });
      return lease.id;
    },
    read: decoded.read,
    discard: forgetLeases,
    prune(horizon, limit) {
      const removed = remove.run({ horizon, limit }).changes;
      if (removed === 0) return 0;
      // The number of one that is removed may be another's next.
      decoded.forget();
      forgetLeases();
      return removed;
    },
  };
}

/** What reads sets, and remembers them until there are too many. */
function prepareDecode(connection: Connection) {
  const select = connection.prepare<Packed, { id: number }>(
    "SELECT encoding, decisions AS bytes FROM decision_set WHERE id = $id",
  );
  const known = new Map<number, DecisionSet>();
  let decisions = 0;

  function forget(): void {
    known.clear();
    decisions = 0;
  }

  function read(id: number): DecisionSet {
    const remembered = known.get(id);
    if (remembered !== undefined) return remembered;
    const packed = select.get({ id });
    if (packed === null) throw new Error(`decision set ${id} is gone`);
    const set = JSON.parse(Buffer.from(unpack(packed)).toString()) as DecisionSet;
    if (decisions > MOST_DECODED) forget();
    decisions += set.decisions.length;
    known.set(id, set);
    return set;
  }

  return { read, forget };
}
