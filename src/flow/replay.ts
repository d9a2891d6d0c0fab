import type { Delivery } from "../domain/delivery.ts";
import type { ParseResult } from "../domain/provider.ts";
import type { Source } from "../domain/source.ts";
import { type AcceptOutcome, type AcceptServices, acceptDelivery } from "./accept-delivery.ts";

export type ReplayOutcome =
  | AcceptOutcome
  | { readonly kind: "unknown delivery" }
  /** Its source is no longer configured, or can no longer parse it. */
  | { readonly kind: "unreadable"; readonly reason: string };

/** Runs a stored delivery again: parses and routes it by the current configuration, and stores it as a replay. */
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
  if (parsed.kind === "unreadable") return { kind: "unreadable", reason: parsed.reason };
  if (parsed.kind === "challenge") return { kind: "unreadable", reason: "it is a test of the URL" };
  const { headers, body, client } = delivery;
  return acceptDelivery(source, { parsed, client, headers, body, replayOf: id }, services);
}

/** Parses a stored delivery again; null when its source is no longer configured. */
export function parseStoredDelivery(
  { source: name, headers, body }: Delivery,
  sources: readonly Source[],
): { readonly source: Source; readonly parsed: ParseResult } | null {
  const source = sources.find((each) => each.name === name);
  if (source === undefined) return null;
  return { source, parsed: source.handler.parse({ headers: new Headers(headers), body }) };
}
