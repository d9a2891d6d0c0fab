import type { Delivery } from "../domain/delivery.ts";
import type { ParseResult } from "../domain/provider.ts";
import type { Source } from "../domain/source.ts";
import { type AcceptOutcome, acceptDelivery, type KeepTools } from "./accept-delivery.ts";

export type ReplayOutcome =
  | AcceptOutcome
  | { readonly kind: "unknown delivery" }
  /** It cannot be read today: its source is gone, or reads differently now. */
  | { readonly kind: "unreadable"; readonly reason: string };

/** Runs a kept delivery again: it is read and matched as today's configuration says, and kept as a replay. */
export async function replay(
  id: number,
  sources: readonly Source[],
  tools: KeepTools,
): Promise<ReplayOutcome> {
  const delivery = await tools.store.readDelivery(id);
  if (delivery === null) return { kind: "unknown delivery" };
  const kept = parseStoredDelivery(delivery, sources);
  if (kept === null)
    return { kind: "unreadable", reason: `source ${delivery.source} is no longer configured` };
  const { source, reading } = kept;
  if (!reading.ok) return { kind: "unreadable", reason: reading.reason };
  const { headers, body, client } = delivery;
  return acceptDelivery(source, { reading, client, headers, body, replayOf: id }, tools);
}

/** A kept delivery, read again by its source as that is configured today. */
export interface StoredParseResult {
  readonly source: Source;
  readonly reading: ParseResult;
}

/** Reads a kept delivery again; null when its source is no longer configured. */
export function parseStoredDelivery(
  delivery: Delivery,
  sources: readonly Source[],
): StoredParseResult | null {
  const source = sources.find(({ name }) => name === delivery.source);
  if (source === undefined) return null;
  const { headers, body } = delivery;
  return { source, reading: source.handler.parse({ headers: new Headers(headers), body }) };
}
