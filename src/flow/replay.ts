import type { Delivery } from "../domain/delivery.ts";
import type { ParseResult } from "../domain/provider.ts";
import type { Source } from "../domain/source.ts";
import { type AcceptOutcome, type AcceptServices, acceptDelivery } from "./accept-delivery.ts";

/** What became of a replay. */
export type ReplayOutcome =
  | AcceptOutcome
  | { readonly kind: "unknown delivery" }
  /** Its source is no longer configured, or cannot parse it any more. */
  | { readonly kind: "unreadable"; readonly reason: string };

/** Runs a stored delivery again: parses and matches it by the present configuration, and stores it as a replay. */
export async function replay(
  id: number,
  sources: readonly Source[],
  services: AcceptServices,
): Promise<ReplayOutcome> {
  const delivery = await services.store.readDelivery(id);
  if (delivery === null) return { kind: "unknown delivery" };
  const found = parseStoredDelivery(delivery, sources);
  if (found === null) {
    return { kind: "unreadable", reason: `source ${delivery.source} is no longer configured` };
  }
  const { source, parsed } = found;
  if (!parsed.ok) return { kind: "unreadable", reason: parsed.reason };
  const { headers, body, client } = delivery;
  return acceptDelivery(source, { parsed, client, headers, body, replayOf: id }, services);
}

/** A stored delivery, parsed by its source as that is configured now. */
export interface StoredParseResult {
  readonly source: Source;
  readonly parsed: ParseResult;
}

/** Parses a stored delivery again; null when its source is no longer configured. */
export function parseStoredDelivery(
  delivery: Delivery,
  sources: readonly Source[],
): StoredParseResult | null {
  const source = sources.find(({ name }) => name === delivery.source);
  if (source === undefined) return null;
  const { headers, body } = delivery;
  return { source, parsed: source.handler.parse({ headers: new Headers(headers), body }) };
}
