import type { RepeatedBody } from "../../../domain/delivery.ts";
import { type Comparison, compare, type EarlierRow, type Fingerprint } from "../../fingerprint.ts";
import type { Connection } from "../connection.ts";
import type { SeenIndex } from "./seen-index.ts";

/** Prepares the comparison of a delivery with the stored ones of its source. */
export function prepareFindDuplicate(connection: Connection, seen: SeenIndex) {
  const select = connection.prepare<EarlierRow, { id: number }>(
    "SELECT source, provider_id, hook, body_sha256 FROM delivery WHERE id = $id",
  );

  function* find(key: number) {
    for (const id of seen.find(key)) {
      const earlier = select.get({ id });
      if (earlier !== null) yield { id, ...earlier };
    }
  }

  return (fingerprint: Fingerprint, keys: readonly number[], repeatedBody: RepeatedBody): Comparison =>
    compare(fingerprint, keys, repeatedBody, find);
}
