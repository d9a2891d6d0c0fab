import type { DeliveryIdentity, RepeatedBody } from "../domain/delivery.ts";
import { digest } from "./body.ts";

/** The properties of a delivery by which it is compared with others. */
export interface Fingerprint {
  readonly source: string;
  readonly identity: DeliveryIdentity;
  /** The SHA-256 of the body. */
  readonly body: Buffer;
}

/** How a delivery compares with the stored ones. */
export type Comparison =
  | { readonly kind: "new" }
  /** `first` is the delivery that it repeats. */
  | { readonly kind: "redelivery" | "duplicate"; readonly first: number };

/** The columns that decide whether one delivery repeats another. */
export interface EarlierRow {
  readonly source: string;
  readonly provider_id: string | null;
  readonly hook: string | null;
  readonly body_sha256: Uint8Array;
}

/** The keys of a delivery in the index: that of its body, and that of its id where it has one. */
export function keysOf({ source, identity, body }: Fingerprint): readonly [number, ...number[]] {
  return identity.id === null
    ? [keyOf(body)]
    : [keyOf(body), keyOf(digest(`${source.length} ${source}${identity.id}`))];
}

/**
 * 48 bits of a digest: a whole number that databases and JavaScript represent exactly. Keys can be equal by chance,
 * once in some 280 million deliveries among a million stored ones, so the columns decide.
 */
function keyOf(sha256: Buffer): number {
  return sha256.readUIntBE(0, 6);
}

/**
 * Compares a delivery with the stored ones of its source.
 *
 * @param find yields the stored deliveries with a key, the oldest first.
 */
export function compare(
  { source, identity, body }: Fingerprint,
  [bodyKey, idKey]: readonly number[],
  repeatedBody: RepeatedBody,
  find: (key: number) => Iterable<EarlierRow & { readonly id: number }>,
): Comparison {
  const findFirst = (key: number, matches: (earlier: EarlierRow) => boolean) => {
    for (const earlier of find(key)) if (earlier.source === source && matches(earlier)) return earlier;
    return null;
  };
  const sameBody =
    repeatedBody === "new" ? null : findFirst(bodyKey ?? 0, (earlier) => body.equals(earlier.body_sha256));
  // Where only the body is signed, it is a replay under another id, or without one, whatever the headers say.
  if (sameBody !== null && (identity.id === null || sameBody.provider_id !== identity.id)) {
    return { kind: repeatedBody === "redelivery" ? "redelivery" : "duplicate", first: sameBody.id };
  }
  if (idKey === undefined) return { kind: "new" };
  const sameId = findFirst(idKey, (earlier) => earlier.provider_id === identity.id);
  if (sameId === null) return { kind: "new" };
  return { kind: sameId.hook === identity.hook ? "redelivery" : "duplicate", first: sameId.id };
}
