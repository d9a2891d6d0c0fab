import type { DeliveryIdentity } from "../../../domain/delivery.ts";
import type { Connection } from "../connection.ts";
import { digest } from "./body.ts";
import type { SeenIndex } from "./seen-index.ts";

/** What identifies a repeated delivery. */
export interface Fingerprint {
  readonly source: string;
  readonly identity: DeliveryIdentity;
  /** The SHA-256 of its body. */
  readonly body: Buffer;
}

/** How a delivery compares with the stored ones. */
export type Comparison =
  | { readonly kind: "new" }
  /** `first` is the delivery that it repeats. */
  | { readonly kind: "redelivery" | "duplicate"; readonly first: number };

/** The columns that decide whether one delivery repeats another. */
interface Earlier {
  source: string;
  provider_id: string | null;
  hook: string | null;
  body_sha256: Uint8Array;
}

/** The keys of a delivery in the index: its body's first, then its id's where it has one. */
export function keysOf({ source, identity, body }: Fingerprint): readonly [number, ...number[]] {
  return identity.id === null
    ? [keyOf(body)]
    : [keyOf(body), keyOf(digest(`${source.length} ${source}${identity.id}`))];
}

/**
 * 48 bits of a digest: a whole number that SQLite and JavaScript both represent exactly. A new one equals one of a million
 * others by chance once in 2^48 / 10^6, some 280 million, times: rarely, but the columns have to decide.
 */
function keyOf(sha256: Buffer): number {
  return sha256.readUIntBE(0, 6);
}

/** Prepares what compares a delivery with the stored ones of its source. */
export function prepareFindDuplicate(connection: Connection, seen: SeenIndex) {
  const select = connection.prepare<Earlier, { id: number }>(
    "SELECT source, provider_id, hook, body_sha256 FROM delivery WHERE id = $id",
  );

  /** The oldest match: a repeated delivery comes after the one that it repeats. */
  function findFirst(key: number, matches: (earlier: Earlier) => boolean) {
    for (const id of seen.find(key)) {
      const earlier = select.get({ id });
      if (earlier !== null && matches(earlier)) return { id, ...earlier };
    }
    return null;
  }

  return ({ source, identity, body }: Fingerprint, [bodyKey, idKey]: readonly number[]): Comparison => {
    const sameBody = findFirst(
      bodyKey ?? 0,
      (earlier) => earlier.source === source && Buffer.compare(earlier.body_sha256, body) === 0,
    );
    // Only the body is signed: under another id, or without one, it is a replay whatever the headers say.
    if (sameBody !== null && (identity.id === null || sameBody.provider_id !== identity.id)) {
      return { kind: "duplicate", first: sameBody.id };
    }
    if (idKey === undefined) return { kind: "new" };
    const sameId = findFirst(
      idKey,
      (earlier) => earlier.source === source && earlier.provider_id === identity.id,
    );
    if (sameId === null) return { kind: "new" };
    return { kind: sameId.hook === identity.hook ? "redelivery" : "duplicate", first: sameId.id };
  };
}
