import type { Delivery } from "../domain/delivery.ts";
import type { Reading } from "../domain/provider.ts";
import type { Source } from "../domain/source.ts";

/** A kept delivery, read again by its source as that is configured today. */
export interface KeptReading {
  readonly source: Source;
  readonly reading: Reading;
}

/** Reads a kept delivery again; null when its source is no longer configured. */
export function readKept(delivery: Delivery, sources: readonly Source[]): KeptReading | null {
  const source = sources.find(({ name }) => name === delivery.source);
  if (source === undefined) return null;
  const { headers, body } = delivery;
  return { source, reading: source.dialect.read({ headers: new Headers(headers), body }) };
}
