import type { Source } from "../domain/source.ts";
import { type KeepOutcome, type KeepTools, keep } from "./keep.ts";
import { readKept } from "./read-kept.ts";

export type ReplayOutcome =
  | KeepOutcome
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
  const kept = readKept(delivery, sources);
  if (kept === null)
    return { kind: "unreadable", reason: `source ${delivery.source} is no longer configured` };
  const { source, reading } = kept;
  if (!reading.ok) return { kind: "unreadable", reason: reading.reason };
  const { headers, body, client } = delivery;
  return keep(source, { reading, client, headers, body, replayOf: id }, tools);
}
